/** A private image is pulled with what `docker login` has written, and with nothing else. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { CredentialHelper } from "../helpers/credential_helper.ts";
import { hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { LoginPlace } from "../helpers/login_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const needs = ["root", "the executable", "program docker-registry", "program skopeo"] as const;

describe("bunker pull of a private image", () => {
  kernelTest("takes the credentials of docker's config.json", needs, async (sandbox) => {
    if (!hasDockerRegistry) throw new Error("Cannot start docker-registry: a program of it is missing");
    const user = { name: "alice", password: "open sesame" };
    await using registry = await startDockerRegistry({ auth: "htpasswd", user });
    await registry.push("private:1", buildImage({ layers: [{ entries: [{ name: "file", data: "x" }] }] }));
    const home = `${sandbox.directory}/home`;
    mkdirSync(`${home}/.docker`, { recursive: true });
    const pull = () => sandbox.bunker(["pull", "-q", `${registry.host}/private:1`], { env: { HOME: home } });

    const refused = await pull();
    const auth = Buffer.from(`${user.name}:${user.password}`).toString("base64");
    writeFileSync(`${home}/.docker/config.json`, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    const allowed = await pull();

    expect(refused.exitCode).toBe(125);
    expect(refused.stderr).not.toContain(user.password);
    expect(allowed).toMatchObject({ exitCode: 0, stdout: `${registry.host}/private:1\n` });
  });
});

const image = buildImage({ layers: [{ entries: [{ name: "file", data: "x" }] }] });

describe("bunker copy within one registry", () => {
  kernelTest("asks each repository as the user that podman's file has for it", needs, async (sandbox) => {
    const auth = { type: "basic", users: { one: "1", two: "2" } } as const;
    await using registry = serveRegistry({ images: { "one/app:latest": image }, auth });
    const place = new LoginPlace(sandbox);
    const auths = {
      [`${registry.host}/one`]: { auth: btoa("one:1") },
      [`${registry.host}/two`]: { auth: btoa("two:2") },
    };
    place.write(place.podmanPath, { auths });

    const { exitCode } = await place.bunker(["copy", `${registry.host}/one/app`, `${registry.host}/two/app`]);

    expect(exitCode).toBe(0);
    const users = (path: string): string[] => {
      const asked = registry.requests.filter((request) => request.path.startsWith(path));
      return [...new Set(asked.map(({ headers }) => userIn(headers["authorization"])))].sort();
    };
    expect(users("/v2/one/")).toEqual(["", "one:1"]);
    expect(users("/v2/two/")).toEqual(["", "two:2"]);
  });
});

describe("a helper", () => {
  kernelTest(
    "that is switched off for one registry is not asked, and the file is",
    needs,
    async (sandbox) => {
      const auth = { type: "basic", users: { me: "secret" } } as const;
      await using registry = serveRegistry({ images: { "app:latest": image }, auth });
      const place = new LoginPlace(sandbox);
      const helper = new CredentialHelper(`${sandbox.directory}/helpers`);
      helper.keep("nobody", "wrong");
      place.write(place.dockerPath, {
        credsStore: "test",
        credHelpers: { [registry.host]: "" },
        auths: { [registry.host]: { auth: btoa("me:secret") } },
      });

      const { exitCode } = await place.bunker(["pull", "-q", `${registry.host}/app`], {
        env: { PATH: helper.searchPath },
      });

      expect(exitCode).toBe(0);
    },
  );

  kernelTest(
    "of podman's file is asked for the Hub by its name, docker's by its URL",
    needs,
    async (sandbox) => {
      const auth = { type: "basic", users: { me: "secret" } } as const;
      await using mirror = serveRegistry({ images: { "library/app:latest": image }, auth });
      const place = new LoginPlace(sandbox);
      const script = '#!/bin/sh\nkey=$(cat)\necho "$key" >> "$0.keys"\necho credentials not found\nexit 1\n';
      const { directory, searchPath } = new CredentialHelper(`${sandbox.directory}/helpers`, script);
      place.write(place.dockerPath, { credsStore: "test" });
      place.write(place.podmanPath, { credHelpers: { "docker.io": "test" } });
      place.write(`${place.home}/bunker.json`, { registries: { "docker.io": { mirrors: [mirror.url] } } });

      await place.bunker(["--config", `${place.home}/bunker.json`, "pull", "-q", "app"], {
        env: { PATH: searchPath, HTTPS_PROXY: "http://127.0.0.1:1" },
      });

      const keys = readFileSync(`${directory}/docker-credential-test.keys`, "utf8").trimEnd().split("\n");
      expect(keys.sort()).toEqual([mirror.host, "docker.io", "https://index.docker.io/v1/"].sort());
    },
  );
});

describe("podman's auth.json", () => {
  kernelTest("is found below HOME where XDG_CONFIG_HOME is empty", needs, async (sandbox) => {
    const auth = { type: "basic", users: { me: "secret" } } as const;
    await using registry = serveRegistry({ images: { "app:latest": image }, auth });
    const place = new LoginPlace(sandbox);
    place.write(place.podmanPath, { auths: { [registry.host]: { auth: btoa("me:secret") } } });

    const { exitCode } = await place.bunker(["pull", "-q", `${registry.host}/app`], {
      env: { XDG_CONFIG_HOME: "" },
    });

    expect(exitCode).toBe(0);
  });
});

function userIn(authorization = ""): string {
  return Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString();
}
