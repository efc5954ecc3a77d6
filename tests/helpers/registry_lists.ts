/**
 * What the fake registry leaves out, as replies that are put in its way: lists of tags and of what refers to a manifest, in
 * pages (distribution-spec, spec.md#content-discovery). A registry without them answers 404, as docker-registry 2.8 does.
 */
import type { FakeRegistry } from "./fake_registry.ts";
import { sha256Digest } from "./image_builder.ts";
import type { Fault } from "./registry_faults.ts";

/** How long the pages are [all in one]. */
export interface ListOptions {
  readonly pageLength?: number;
  /** Whether `artifactType` is obeyed; a registry need not [false]. */
  readonly filters?: boolean;
}

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** Lists the tags of a repository. */
export function tagLists(registry: FakeRegistry, options: ListOptions = {}): Fault {
  return on(/^GET \/v2\/(.+)\/tags\/list/, (request, [, repository = ""]) => {
    const tags = [...(registry.content(repository)?.tags.keys() ?? [])].sort();
    const { items, headers } = pageOf(request, tags, options);
    return Response.json({ name: repository, tags: items }, { headers });
  });
}

/** Lists what refers to a manifest. */
export function referrerLists(registry: FakeRegistry, options: ListOptions = {}): Fault {
  return on(/^GET \/v2\/(.+)\/referrers\/(sha256:[0-9a-f]{64})/, (request, [, repository = "", subject]) => {
    const wanted = new URL(request.url).searchParams.get("artifactType");
    const isFiltered = options.filters === true && wanted !== null;
    const all = [...(registry.content(repository)?.manifests.values() ?? [])].flatMap(
      ({ mediaType, bytes }) => {
        const manifest = JSON.parse(Buffer.from(bytes).toString());
        if (manifest.subject?.digest !== subject) return [];
        const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
        const { annotations } = manifest;
        return [{ mediaType, digest: sha256Digest(bytes), size: bytes.length, artifactType, annotations }];
      },
    );
    const found = isFiltered ? all.filter(({ artifactType }) => artifactType === wanted) : all;
    const { items, headers } = pageOf(request, found, options);
    const applied = isFiltered ? { "OCI-Filters-Applied": "artifactType" } : {};
    return Response.json(
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: items },
      { headers: { "Content-Type": OCI_INDEX, ...headers, ...applied } },
    );
  });
}

/** Says that the subject of a manifest was understood. */
export function knowsSubjects(): Fault {
  return on(/^PUT \/v2\/.+\/manifests\//, async (request, _, next) => {
    const { subject } = JSON.parse(await request.clone().text());
    const right = await next();
    if (subject !== undefined) right.headers.set("OCI-Subject", subject.digest);
    return right;
  });
}

function pageOf<Item>(
  request: Request,
  items: readonly Item[],
  { pageLength = items.length }: ListOptions,
): { items: readonly Item[]; headers: Record<string, string> } {
  const url = new URL(request.url);
  const start = Number(url.searchParams.get("from") ?? 0);
  const end = start + pageLength;
  if (end >= items.length) return { items: items.slice(start), headers: {} };
  url.searchParams.set("from", String(end));
  return { items: items.slice(start, end), headers: { Link: `<${url.pathname}${url.search}>; rel="next"` } };
}

function on(
  pattern: RegExp,
  reply: (
    request: Request,
    match: RegExpExecArray,
    next: () => Promise<Response>,
  ) => Response | Promise<Response>,
): Fault {
  const matchOf = (method: string, path: string): RegExpExecArray | null => pattern.exec(`${method} ${path}`);
  return {
    takes: ({ method, path }) => matchOf(method, path) !== null,
    reply: (request, next) => {
      const match = matchOf(request.method, new URL(request.url).pathname);
      return match === null ? next() : reply(request, match, next);
    },
  };
}
