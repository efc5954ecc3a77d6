/**
 * The real thing: Debian's docker-registry on loopback with its data in a temporary directory, plain, with passwords, or
 * with a token server of our own that signs JSON Web Tokens; and skopeo, which fills it.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { BuiltDocument } from "./image_builder.ts";
import { startJwtServer, type TokenServer } from "./jwt_server.ts";
import { writeOciLayout } from "./oci_layout.ts";

export interface DockerRegistryOptions {
  /** [none] */
  readonly auth?: "none" | "htpasswd" | "token";
  /** The one user of `htpasswd` and `token`. */
  readonly user?: { readonly name: string; readonly password: string };
  /** TLS; with `clientAuthority` clients have to show a certificate of it. [plain HTTP] */
  readonly tls?: DockerRegistryTls;
  /** Base URL of the registry whose content this one fetches and keeps, as a mirror does. */
  readonly cacheOf?: string;
  /** Repositories that only the user may pull, with `token`. */
  readonly private?: readonly string[];
}

/** Files of certificates. */
export interface DockerRegistryTls {
  readonly certPath: string;
  readonly keyPath: string;
  readonly clientAuthority?: string;
  /** A directory as `certs.d` has one for each host, for skopeo. */
  readonly certDirectory: string;
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, for references. */
  readonly host: string;
  readonly url: string;
  /** Whether it has written a blob down. */
  has(digest: string): boolean;
  /** Pushes with skopeo under `repository:tag`; `options` are further arguments of `skopeo copy`. */
  push(name: string, document: BuiltDocument, options?: readonly string[]): Promise<void>;
}

/** The programs that this needs; a test that misses one is skipped. */
export const hasDockerRegistry = ["docker-registry", "skopeo", "openssl"].every(
  (name) => Bun.which(name) !== null,
);

const START_MS_MAX = 30_000;
const PORTS_MAX = 3;
const DEFAULT_USER = { name: "pusher", password: "secret" };

/** Starts a registry and waits until it answers. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const { auth = "none", user = DEFAULT_USER } = options;
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(`${tmpdir()}/bunker-registry-`);
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const tokenServer =
    auth === "token"
      ? stack.use(await startJwtServer({ directory, user, private: options.private ?? [] }))
      : undefined;
  const environment = await authEnvironment(auth, { directory, user, tokenServer });
  const cache = options.cacheOf === undefined ? {} : { REGISTRY_PROXY_REMOTEURL: options.cacheOf };
  const { registry, port, url } = await serve(directory, options, { ...environment, ...cache });
  stack.defer(async () => {
    registry.kill();
    await registry.exited;
  });
  const owned = stack.move();
  const credentials = auth === "none" ? [] : ["--dest-creds", `${user.name}:${user.password}`];
  const verification =
    options.tls === undefined ? ["--dest-tls-verify=false"] : ["--dest-cert-dir", options.tls.certDirectory];
  return {
    host: `127.0.0.1:${port}`,
    url,
    has: (digest) => {
      const hex = digest.slice("sha256:".length);
      const blobs = `${directory}/data/docker/registry/v2/blobs/sha256`;
      return existsSync(`${blobs}/${hex.slice(0, 2)}/${hex}/data`);
    },
    push: (name, document, more = []) =>
      push(`127.0.0.1:${port}/${name}`, { document, options: [...verification, ...credentials, ...more] }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts it on a free port: on another one, when somebody has taken that meanwhile. */
async function serve(
  directory: string,
  { tls }: DockerRegistryOptions,
  environment: Readonly<Record<string, string>>,
) {
  for (let attempt = 1; attempt <= PORTS_MAX; attempt++) {
    const port = await freePort();
    writeFileSync(`${directory}/config.yml`, configText(directory, port, tls));
    const registry = Bun.spawn(["docker-registry", "serve", `${directory}/config.yml`], {
      env: { ...process.env, ...environment, OTEL_TRACES_EXPORTER: "none" },
      stdout: "ignore",
      stderr: "ignore",
    });
    const url = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
    if (await answers(url, registry)) return { registry, port, url };
    registry.kill();
    await registry.exited;
  }
  throw new Error("docker-registry did not start");
}

function configText(directory: string, port: number, tls: DockerRegistryTls | undefined): string {
  const clients = tls?.clientAuthority === undefined ? {} : { clientcas: [tls.clientAuthority] };
  const secured =
    tls === undefined ? {} : { tls: { certificate: tls.certPath, key: tls.keyPath, ...clients } };
  const storage = { filesystem: { rootdirectory: `${directory}/data` } };
  // YAML is a superset of JSON.
  return JSON.stringify({
    version: 0.1,
    log: { level: "error" },
    storage,
    http: { addr: `127.0.0.1:${port}`, ...secured },
  });
}

async function authEnvironment(
  auth: "none" | "htpasswd" | "token",
  given: {
    readonly directory: string;
    readonly user: { readonly name: string; readonly password: string };
    readonly tokenServer: TokenServer | undefined;
  },
): Promise<Record<string, string>> {
  if (auth === "htpasswd") {
    const path = `${given.directory}/htpasswd`;
    const hash = await Bun.password.hash(given.user.password, { algorithm: "bcrypt", cost: 4 });
    writeFileSync(path, `${given.user.name}:${hash}\n`);
    return {
      REGISTRY_AUTH: "htpasswd",
      REGISTRY_AUTH_HTPASSWD_REALM: "test",
      REGISTRY_AUTH_HTPASSWD_PATH: path,
    };
  }
  if (given.tokenServer === undefined) return {};
  return {
    REGISTRY_AUTH: "token",
    REGISTRY_AUTH_TOKEN_REALM: given.tokenServer.url,
    REGISTRY_AUTH_TOKEN_SERVICE: "registry.test",
    REGISTRY_AUTH_TOKEN_ISSUER: "bunker-tests",
    REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE: given.tokenServer.certificatePath,
  };
}

async function push(
  target: string,
  { document, options }: { readonly document: BuiltDocument; readonly options: readonly string[] },
): Promise<void> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-layout-`);
  try {
    writeOciLayout(directory, { image: document });
    const fixed = ["skopeo", "copy", "--insecure-policy", "--all", ...options];
    const skopeo = Bun.spawn([...fixed, `oci:${directory}:image`, `docker://${target}`], {
      stdout: "ignore",
      stderr: "pipe",
    });
    const errors = await skopeo.stderr.text();
    if ((await skopeo.exited) !== 0) throw new Error(`skopeo copy failed: ${errors}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port = 0 } = server;
  await server.stop(true);
  return port;
}

/** Waits until the registry answers. @returns false when it ends, or does not answer in time */
async function answers(url: string, registry: Bun.Subprocess): Promise<boolean> {
  const end = Date.now() + START_MS_MAX;
  while (registry.exitCode === null && Date.now() < end) {
    try {
      // Each attempt waits for the one before.
      await fetch(`${url}/v2/`, { proxy: false } as unknown as RequestInit);
      return registry.exitCode === null;
    } catch (error) {
      // A certificate that is refused is an answer, too.
      if ((error as { code?: string }).code !== "ECONNREFUSED") return true;
      await Bun.sleep(20);
    }
  }
  return false;
}
