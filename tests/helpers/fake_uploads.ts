/**
 * The fake registry's side of a push (distribution-spec, spec.md#push): uploads in one request or in pieces, mounts, and
 * manifests, each checked against its digest. An upload keeps what came of a request that broke.
 */
import type { Content } from "./fake_registry.ts";
import { sha256Digest } from "./image_builder.ts";

const BEGIN = /^\/v2\/(.+)\/blobs\/uploads\/$/;
const UPLOAD = /^\/upload\/([0-9a-f-]+)$/;
const MANIFEST = /^\/v2\/(.+)\/manifests\/([^/]+)$/;

interface Upload {
  readonly repository: string;
  bytes: Uint8Array;
}

/** What is being uploaded. */
export class Uploads {
  readonly #repositories: Map<string, Content>;
  readonly #uploads = new Map<string, Upload>();

  constructor(repositories: Map<string, Content>) {
    this.#repositories = repositories;
  }

  /** The reply to a request of a push; undefined for all others. @param origin where uploads go to; "": here */
  async handle(request: Request, origin: string): Promise<Response | undefined> {
    const url = new URL(request.url);
    const begun = BEGIN.exec(url.pathname)?.[1];
    if (request.method === "POST" && begun !== undefined) return this.#begin(begun, url.searchParams, origin);
    const id = UPLOAD.exec(url.pathname)?.[1];
    if (id !== undefined) return this.#goOn(id, request, url.searchParams);
    const manifest = MANIFEST.exec(url.pathname);
    if (request.method === "PUT" && manifest !== null) return this.#putManifest(manifest, request);
    return undefined;
  }

  #begin(repository: string, query: URLSearchParams, origin: string): Response {
    const [mount, from] = [query.get("mount"), query.get("from")];
    const blob = this.#repositories.get(from ?? "")?.blobs.get(mount ?? "");
    if (mount !== null && blob !== undefined) {
      this.#content(repository).blobs.set(mount, blob);
      return new Response(null, { status: 201, headers: { Location: `/v2/${repository}/blobs/${mount}` } });
    }
    const id = crypto.randomUUID();
    this.#uploads.set(id, { repository, bytes: new Uint8Array() });
    return new Response(null, { status: 202, headers: { Location: `${origin}/upload/${id}?state=a%2Bb` } });
  }

  async #goOn(id: string, request: Request, query: URLSearchParams): Promise<Response> {
    const upload = this.#uploads.get(id);
    if (upload === undefined || query.get("state") !== "a+b") return new Response(null, { status: 404 });
    if (request.method === "GET") return this.#place(id, upload, 204);
    const range = /^([0-9]+)-/.exec(request.headers.get("content-range") ?? "");
    if (range !== null && Number(range[1]) !== upload.bytes.length) return this.#place(id, upload, 416);
    await this.#receive(upload, request);
    if (request.method === "PATCH") return this.#place(id, upload, 202);
    const digest = query.get("digest") ?? "";
    if (sha256Digest(upload.bytes) !== digest)
      return Response.json({ errors: [{ code: "DIGEST_INVALID", message: "other bytes" }] }, { status: 400 });
    this.#content(upload.repository).blobs.set(digest, upload.bytes);
    this.#uploads.delete(id);
    return new Response(null, { status: 201, headers: { "Docker-Content-Digest": digest } });
  }

  async #receive(upload: Upload, request: Request): Promise<void> {
    if (request.body === null) return;
    for await (const chunk of request.body) upload.bytes = Buffer.concat([upload.bytes, chunk as Uint8Array]);
  }

  #place(id: string, { bytes }: Upload, status: number): Response {
    const headers = { Location: `/upload/${id}?state=a%2Bb`, Range: `0-${Math.max(0, bytes.length - 1)}` };
    return new Response(null, { status, headers });
  }

  async #putManifest([, repository = "", name = ""]: RegExpExecArray, request: Request): Promise<Response> {
    const bytes = await request.bytes();
    const digest = sha256Digest(bytes);
    const content = this.#content(repository);
    content.manifests.set(digest, { mediaType: request.headers.get("content-type") ?? "", bytes });
    if (!name.startsWith("sha256:")) content.tags.set(name, digest);
    return new Response(null, { status: 201, headers: { "Docker-Content-Digest": digest } });
  }

  #content(repository: string): Content {
    const known = this.#repositories.get(repository);
    if (known !== undefined) return known;
    const content = { tags: new Map(), manifests: new Map(), blobs: new Map() };
    this.#repositories.set(repository, content);
    return content;
  }
}
