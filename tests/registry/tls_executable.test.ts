/**
 * The executable and registries of TLS: Debian's docker-registry with an authority of its own that wants client certificates,
 * `certs.d` in the user's home, `--tls-verify=false`, a proxy, what registries say on the side.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { Authorities, type Signed } from "../helpers/authority.ts";
import { startConnectProxy } from "../helpers/connect_proxy.ts";
import { type DockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { LoginPlace } from "../helpers/login_place.ts";
import { headers, MANIFESTS } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { baseLayer } from "../kernel/run/app.ts";

const NEEDS = ["root", "the executable", "program openssl"] as const;
const REGISTRY_NEEDS = [...NEEDS, "program docker-registry", "program skopeo"] as const;
const USER = { name: "alice", password: "open sesame" };
/** Large enough for the threads of a lane. */
const image = buildImage({
  layers: [{ entries: [{ name: "noise", data: noise(7_000_000) }] }],
});

describe("docker-registry with an authority of its own that wants client certificates", () => {
  kernelTest(
    "takes login, push and pull with certs.d in the home; so does skopeo",
    REGISTRY_NEEDS,
    async (sandbox) => {
      await using place = await TlsPlace.start(sandbox, { isMutual: true });
      const { registry } = place;
      await registry.push("app:1", image);
      const name = `${registry.host}/app:1`;

      const strange = await place.bunker(["pull", "-q", name]);
      place.trust();
      const login = await place.bunker(["login", "-u", USER.name, "--password-stdin", registry.host], {
        stdin: USER.password,
      });
      const pull = await place.bunker(["pull", "-q", name]);
      await place.bunker(["tag", name, `${registry.host}/copy:2`]);
      const push = await place.bunker(["push", "-q", `${registry.host}/copy:2`]);

      expect(strange).toMatchObject({ exitCode: 125, stdout: "" });
      expect(strange.stderr).toContain(`/etc/containers/certs.d/${registry.host}`);
      expect(login).toMatchObject({ exitCode: 0, stdout: "Login Succeeded\n" });
      expect(pull).toMatchObject({ exitCode: 0, stdout: `${name}\n`, stderr: "" });
      expect(push).toMatchObject({ exitCode: 0, stdout: `${registry.host}/copy:2\n`, stderr: "" });
      expect(place.skopeoDigest("copy:2")).toBe(image.digest);
    },
  );

  kernelTest("copies to another registry of the kind", REGISTRY_NEEDS, async (sandbox) => {
    await using place = await TlsPlace.start(sandbox, { isMutual: true, isOpen: true });
    await using plain = await startDockerRegistry();
    await plain.push("app:1", image);
    place.trust();

    const { exitCode, stdout, stderr } = await place.bunker([
      ...["copy", "-q", `${plain.host}/app:1`, `${place.registry.host}/app:1`],
    ]);

    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${place.registry.host}/app:1\n`,
      stderr: "",
    });
    expect(place.skopeoDigest("app:1")).toBe(image.digest);
  });
});

describe("--tls-verify=false", () => {
  kernelTest(
    "of pull, push and login does without an authority that is known",
    REGISTRY_NEEDS,
    async (sandbox) => {
      await using place = await TlsPlace.start(sandbox, {});
      const { host } = place.registry;
      await place.registry.push("app:1", image);
      const words = [
        ["login", "-u", USER.name, "--password-stdin", host],
        ["pull", "-q", `${host}/app:1`],
        ["push", "-q", `${host}/app:1`],
      ];

      const outcomes: (number | null)[][] = [];
      for (const [command = "", ...rest] of words) {
        const verified = await place.bunker([command, ...rest], { stdin: USER.password });
        const free = await place.bunker([command, "--tls-verify=false", ...rest], { stdin: USER.password });
        outcomes.push([verified.exitCode, free.exitCode]);
      }

      expect(outcomes).toEqual([
        [125, 0],
        [125, 0],
        [125, 0],
      ]);
    },
  );
});

describe("bunker run --tls-verify=false", () => {
  kernelTest(
    "pulls from a registry whose authority nobody knows",
    [...NEEDS, "overlayfs", "program busybox"],
    async (sandbox) => {
      using authorities = new Authorities();
      const tls = authorities.sign("server", authorities.create("authority"));
      const app = buildImage({ layers: [baseLayer()], config: { Env: ["PATH=/bin"] } });
      await using registry = serveRegistry({ images: { app }, tls });
      const words = [`${registry.host}/app`, "echo", "hey"];

      const verified = await sandbox.bunker(["run", "-q", ...words]);
      const free = await sandbox.bunker(["run", "-q", "--tls-verify=false", ...words]);

      expect([verified.exitCode, verified.stdout]).toEqual([125, ""]);
      expect(free).toMatchObject({ exitCode: 0, stdout: "hey\n", stderr: "" });
    },
  );
});

describe("a proxy", () => {
  kernelTest("takes the executable and its threads to a registry", NEEDS, async (sandbox) => {
    using authorities = new Authorities();
    const authority = authorities.create("authority");
    const tls = authorities.sign("server", authority, { names: ["DNS:registry.test"] });
    await using registry = serveRegistry({ images: { app: image }, tls, auth: { type: "token" } });
    await using proxy = await startConnectProxy({ user: "me:secret" });
    const host = `registry.test:${new URL(registry.url).port}`;
    registry.auth.realm = `https://${host}/token`;
    const env = { HTTPS_PROXY: `http://me:secret@${proxy.host}`, SSL_CERT_FILE: authority.certPath };

    const { exitCode, stderr } = await sandbox.bunker(["pull", "-q", host.concat("/app")], { env });

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${host} HTTP/1.1`]));
  });
});

describe("bunker pull", () => {
  kernelTest(
    "shows a registry's warning once, and with -v the pulls that are left",
    NEEDS,
    async (sandbox) => {
      await using registry = serveRegistry({ images: { app: image } });
      const warning = { Warning: '299 - "this repository \\"moves\\""' };
      registry.break(headers({ on: MANIFESTS }, warning));

      const first = await sandbox.bunker(["pull", "-v", `${registry.host}/app`]);
      const second = await sandbox.bunker(["pull", `${registry.host}/app`]);

      const said = first.stderr.split("\n").filter((line) => line.startsWith("bunker: "));
      expect(said).toEqual([
        `bunker: "${registry.host}" says "this repository \\"moves\\""`,
        `bunker: 99 of 100 pulls are left within 6 hours ("${registry.host}")`,
      ]);
      expect(second.stderr.match(/pulls are left/)).toBeNull();
    },
  );

  kernelTest("with -v says that a registry names no limit", NEEDS, async (sandbox) => {
    await using registry = serveRegistry({ images: { app: image } });
    const none = { "ratelimit-limit": undefined, "ratelimit-remaining": undefined };
    registry.break(headers({ on: MANIFESTS }, none));

    const { stderr } = await sandbox.bunker(["pull", "-v", `${registry.host}/app`]);

    expect(stderr).toContain(`bunker: "${registry.host}" names no limit of pulls\n`);
  });
});

/** A docker-registry of TLS, a home, and the certificates of both. */
class TlsPlace implements AsyncDisposable {
  readonly registry: DockerRegistry;
  readonly #authorities: Authorities;
  readonly #place: LoginPlace;
  readonly #files: Readonly<Record<string, string>>;
  readonly #isOpen: boolean;

  private constructor(sandbox: Sandbox, made: Made, isOpen: boolean) {
    this.registry = made.registry;
    this.#authorities = made.authorities;
    this.#files = made.files;
    this.#isOpen = isOpen;
    this.#place = new LoginPlace(sandbox);
  }

  static async start(
    sandbox: Sandbox,
    { isMutual = false, isOpen = false }: { readonly isMutual?: boolean; readonly isOpen?: boolean },
  ): Promise<TlsPlace> {
    const authorities = new Authorities();
    const [authority, clients] = [authorities.create("authority"), authorities.create("clients")];
    const server = authorities.sign("server", authority);
    const files = filesOf(authority, isMutual ? authorities.sign("client", clients) : undefined);
    const certDirectory = `${authorities.certsDirectory("registry", files)}/registry`;
    const { certPath, keyPath } = server;
    const wanted = isMutual ? { clientAuthority: clients.certPath } : {};
    const registry = await startDockerRegistry({
      ...(isOpen ? {} : { auth: "htpasswd", user: USER }),
      tls: { certPath, keyPath, certDirectory, ...wanted },
    });
    return new TlsPlace(sandbox, { registry, authorities, files }, isOpen);
  }

  /** Puts the certificates where the user has them. */
  trust(): void {
    const directory = `${this.#place.home}/.config/containers/certs.d/${this.registry.host}`;
    mkdirSync(directory, { recursive: true });
    for (const [name, text] of Object.entries(this.#files)) this.#place.write(`${directory}/${name}`, text);
  }

  bunker(...words: Parameters<LoginPlace["bunker"]>): ReturnType<LoginPlace["bunker"]> {
    return this.#place.bunker(...words);
  }

  /** The digest of an image as skopeo sees it, with the same files. */
  skopeoDigest(name: string): string {
    const directory = `${this.#authorities.directory}/certs.d/registry`;
    const login = this.#isOpen ? [] : ["--creds", `${USER.name}:${USER.password}`];
    const { stdout } = Bun.spawnSync([
      ...["skopeo", "inspect", "--cert-dir", directory, ...login, "--format", "{{.Digest}}"],
      `docker://${this.registry.host}/${name}`,
    ]);
    return stdout.toString().trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    this.#authorities[Symbol.dispose]();
    rmSync(this.#place.home, { recursive: true, force: true });
  }
}

interface Made {
  readonly registry: DockerRegistry;
  readonly authorities: Authorities;
  readonly files: Readonly<Record<string, string>>;
}

const filesOf = (authority: Signed, client: Signed | undefined): Record<string, string> => ({
  "ca.crt": authority.cert,
  ...(client === undefined ? {} : { "client.cert": client.cert, "client.key": client.key }),
});
