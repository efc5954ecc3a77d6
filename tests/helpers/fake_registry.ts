/**
 * A registry on loopback that serves images built in memory, with Docker Hub's token flow and with faults on demand: any
 * reply can be replaced or damaged. It records every request, so that a test can say what was asked, how often and with
 * which credentials (distribution-spec, spec.md#pull; fake_uploads.ts has the push).
 */
import { Uploads } from "./fake_uploads.ts";
import type { BuiltDocument } from "./image_builder.ts";
import { TokenAuth, type TokenAuthOptions } from "./registry_auth.ts";
import type { Fault } from "./registry_faults.ts";

export interface RegistryOptions {
  /** Documents by `repository:tag`, e.g. `library/alpine:latest`; each can be had by digest too. */
  readonly images?: Readonly<Record<string, BuiltDocument>>;
  /** Token flow, Basic, or open to all [open]. */
  readonly auth?: TokenAuthOptions;
  /** Whether blobs are redirected to a second origin, as Hub does to its CDN [false]. */
  readonly blobRedirects?: boolean;
  /** Whether uploads go to a second origin, where no token may be seen [false]. */
  readonly uploadRedirects?: boolean;
  /** [a free one] */
  readonly port?: number;
  /** With `ca` clients have to show a certificate that it has signed. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string };
}

/** One request as it arrived. */
export interface RecordedRequest {
  /** `registry`, `token` (same origin) or `cdn`. */
  readonly server: "registry" | "token" | "cdn";
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface FakeRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, for references. */
  readonly host: string;
  readonly url: string;
  /** Origin of the second server. */
  readonly cdnUrl: string;
  readonly auth: TokenAuth;
  /** All requests so far, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /** Number of requests whose `METHOD path` matches. */
  count(pattern: RegExp): number;
  /** What a repository holds; undefined when there is none. */
  content(repository: string): Content | undefined;
  /** Adds an image under `repository:tag`. */
  add(name: string, document: BuiltDocument): void;
  /** Installs faults; the first that matches a request decides. */
  break(...faults: readonly Fault[]): void;
  /** Removes all faults and forgets all requests. */
  reset(): void;
  stop(): Promise<void>;
}

/** What a repository holds. */
export interface Content {
  readonly tags: Map<string, string>;
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Uint8Array }>;
  readonly blobs: Map<string, Uint8Array>;
}

const ROUTE = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/;

/** Starts a registry on 127.0.0.1. */
export function serveRegistry(options: RegistryOptions = {}): FakeRegistry {
  const repositories = new Map<string, Content>();
  const requests: RecordedRequest[] = [];
  const faults: Fault[] = [];
  const auth = new TokenAuth(options.auth ?? { type: "none" });
  const uploads = new Uploads(repositories);

  const handle = async (server: RecordedRequest["server"], request: Request): Promise<Response> => {
    const record = await recordOf(server, request);
    requests.push(record);
    const next = async (): Promise<Response> => {
      if (server === "cdn")
        return (await uploads.handle(withoutToken(request), "")) ?? serveCdn(request, repositories);
      const reply = auth.handle(request, record.body, [...repositories.keys()]);
      const origin = options.uploadRedirects === true ? cdn.url.origin : "";
      return (
        reply ??
        (await uploads.handle(request, origin)) ??
        serveContent(request, repositories, options.blobRedirects === true ? cdn.url.origin : undefined)
      );
    };
    const fault = faults.find((each) => each.takes(record));
    return bodyless(request, fault === undefined ? await next() : await fault.reply(request, next));
  };
  const serve = (server: "registry" | "cdn"): Bun.Server<undefined> =>
    Bun.serve({
      hostname: "127.0.0.1",
      port: server === "registry" ? (options.port ?? 0) : 0,
      idleTimeout: 60,
      // A body that is cut on purpose is no news.
      development: false,
      error: () => new Response(null, { status: 500 }),
      ...(options.tls === undefined ? {} : { tls: tlsOf(options.tls) }),
      fetch: (request) => handle(isTokenRequest(server, request) ? "token" : server, request),
    });
  const registry = serve("registry");
  const cdn = serve("cdn");

  const fake: FakeRegistry = {
    host: `127.0.0.1:${registry.port}`,
    url: registry.url.origin,
    cdnUrl: cdn.url.origin,
    auth,
    requests,
    count: (pattern) => requests.filter(({ method, path }) => pattern.test(`${method} ${path}`)).length,
    content: (repository) => repositories.get(repository),
    add: (name, document) => addImage(repositories, name, document),
    break: (...added) => void faults.push(...added),
    reset: () => {
      faults.length = 0;
      requests.length = 0;
    },
    stop: async () => {
      await Promise.all([registry.stop(true), cdn.stop(true)]);
    },
    [Symbol.asyncDispose]: () => fake.stop(),
  };
  auth.realm ??= `${registry.url.origin}/token`;
  for (const [name, document] of Object.entries(options.images ?? {})) fake.add(name, document);
  return fake;
}

function tlsOf({ key, cert, ca }: NonNullable<RegistryOptions["tls"]>): Bun.TLSOptions {
  return { key, cert, ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }) };
}

function withoutToken(request: Request): Request {
  if (request.headers.has("authorization")) throw new Error("a token came to another host");
  return request;
}

function addImage(repositories: Map<string, Content>, name: string, document: BuiltDocument): void {
  const [repository = "", tag = "latest"] = name.split(":", 2);
  const empty = { tags: new Map(), manifests: new Map(), blobs: new Map() };
  const content = repositories.get(repository) ?? empty;
  repositories.set(repository, content);
  content.tags.set(tag, document.digest);
  for (const [digest, manifest] of document.manifests) content.manifests.set(digest, manifest);
  for (const [digest, blob] of document.blobs) content.blobs.set(digest, blob);
}

function serveContent(
  request: Request,
  repositories: Map<string, Content>,
  cdn: string | undefined,
): Response {
  const { pathname } = new URL(request.url);
  if (pathname === "/v2/" || pathname === "/v2") return Response.json({});
  const [, repository = "", kind, name = ""] = ROUTE.exec(pathname) ?? [];
  const content = repositories.get(repository);
  if (content === undefined)
    return registryError(404, "NAME_UNKNOWN", "repository name not known to registry");
  if (kind === "manifests") return serveManifest(request, content, name);
  const blob = content.blobs.get(name);
  if (blob === undefined) return registryError(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (cdn === undefined) return serveBytes(request, blob, { "Docker-Content-Digest": name });
  return new Response(null, {
    status: 307,
    headers: { Location: `${cdn}/data/${repository}/${name}?sig=secret` },
  });
}

function serveManifest(request: Request, content: Content, name: string): Response {
  const digest = content.tags.get(name) ?? name;
  const manifest = content.manifests.get(digest);
  if (manifest === undefined) return registryError(404, "MANIFEST_UNKNOWN", "manifest unknown");
  const accept = request.headers.get("accept") ?? "";
  if (!accept.includes(manifest.mediaType)) {
    // Docker Hub since 2024: an OCI document is "not found" for a client that does not accept its type.
    return registryError(
      404,
      "MANIFEST_UNKNOWN",
      "OCI manifest found, but accept header does not support OCI manifests",
    );
  }
  return serveBytes(request, manifest.bytes, {
    "Content-Type": manifest.mediaType,
    "Docker-Content-Digest": digest,
    "ratelimit-limit": "100;w=21600",
    "ratelimit-remaining": "99;w=21600",
  });
}

/** The CDN wants its signature and no other authorisation, as S3 does. */
function serveCdn(request: Request, repositories: Map<string, Content>): Response {
  const url = new URL(request.url);
  if (request.headers.has("authorization"))
    return new Response("Only one auth mechanism allowed", { status: 400 });
  const [, repository = "", digest = ""] = /^\/data\/(.+)\/([^/]+)$/.exec(url.pathname) ?? [];
  const blob = repositories.get(repository)?.blobs.get(digest);
  if (url.searchParams.get("sig") !== "secret" || blob === undefined)
    return new Response("no", { status: 403 });
  return serveBytes(request, blob, {});
}

/** Bytes with support for `Range: bytes=N-`. */
export function serveBytes(request: Request, bytes: Uint8Array, headers: Record<string, string>): Response {
  const all = { "Content-Type": "application/octet-stream", ...headers };
  const start = /^bytes=([0-9]+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  if (start === undefined) return new Response(new Uint8Array(bytes), { headers: all });
  const offset = Number(start);
  if (offset >= bytes.length) return new Response(null, { status: 416 });
  const range = `bytes ${offset}-${bytes.length - 1}/${bytes.length}`;
  return new Response(new Uint8Array(bytes.subarray(offset)), {
    status: 206,
    headers: { ...all, "Content-Range": range },
  });
}

/** An error in the registry's JSON form (distribution-spec, spec.md#error-codes). */
export function registryError(status: number, code: string, message: string): Response {
  return Response.json({ errors: [{ code, message }] }, { status });
}

/** HEAD has the headers of GET and no body. */
async function bodyless(request: Request, response: Response): Promise<Response> {
  if (request.method !== "HEAD" || response.body === null) return response;
  const { length } = await response.bytes();
  const headers = new Headers(response.headers);
  headers.set("Content-Length", String(length));
  return new Response(null, { status: response.status, headers });
}

async function recordOf(server: RecordedRequest["server"], request: Request): Promise<RecordedRequest> {
  const url = new URL(request.url);
  return {
    server,
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers: Object.fromEntries(request.headers),
    body: request.method === "POST" ? await request.text() : "",
  };
}

function isTokenRequest(server: "registry" | "cdn", request: Request): boolean {
  return server === "registry" && new URL(request.url).pathname === "/token";
}
