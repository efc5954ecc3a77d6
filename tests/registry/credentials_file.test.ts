/** A private image is pulled with what `docker login` has written, and with nothing else. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
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
