/** Lists that registries give in pages, each of which names the next in a Link header (RFC 8288). */
import type { Exchange } from "./exchange.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";
import type { Session } from "./session.ts";

/** Most pages of one list: a registry that names its first page as the next one must come to an end. */
const PAGE_COUNT_MAX = 1000;

/** A target with its parameters, and the relations among these (RFC 8288, section 3). */
const LINK = /<([^<>]{1,4000})>((?:[^,"<]|"[^"]*")*)/g;
const RELATIONS = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i;

/** What is listed. */
export interface ListRequest {
  readonly repository: string;
  /** Path below `/v2/REPOSITORY/` with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For messages. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The pages of a list, one after the other; the reader of a page reads or discards its body.
 * @throws {RegistryError} when the next page lies elsewhere, or there is no end to them
 */
export async function* pagesOf(session: Session, list: ListRequest): AsyncGenerator<Exchange, void, void> {
  const { repository, headers, what, signal } = list;
  let target: URL | undefined = new URL(`${session.endpoint.baseUrl}/v2/${repository}/${list.path}`);
  const seen = new Set<string>();
  while (target !== undefined) {
    if (seen.has(target.href) || seen.size >= PAGE_COUNT_MAX) throw endless(target);
    seen.add(target.href);
    // Each page names the next.
    const exchange = await session.request({
      ...{ repository, kind: "manifests", name: "", target, what, signal },
      ...(headers === undefined ? {} : { headers }),
    });
    yield exchange;
    target = exchange.status === 200 ? nextPage(exchange, target) : undefined;
  }
}

/** @returns undefined after the last page */
function nextPage(exchange: Exchange, from: URL): URL | undefined {
  const link = nextLink(exchange.header("link") ?? "");
  if (link === undefined) return undefined;
  const next = URL.parse(link, from.href);
  // Tokens go along: never to another host. Behind a proxy registries name themselves with another scheme or port.
  if (next !== null && next.hostname === from.hostname)
    return new URL(`${next.pathname}${next.search}`, from.origin);
  throw new RegistryError(`Cannot read "${urlForMessages(from)}": its next page lies elsewhere`, {
    code: "REGISTRY_PROTOCOL",
  });
}

function nextLink(header: string): string | undefined {
  for (const [, target, parameters = ""] of header.matchAll(LINK)) {
    const [, quoted, bare = ""] = RELATIONS.exec(parameters) ?? [];
    if ((quoted ?? bare).toLowerCase().split(" ").includes("next")) return target;
  }
  return undefined;
}

function endless(url: URL): RegistryError {
  return new RegistryError(`Cannot read "${urlForMessages(url)}": its pages have no end`, {
    code: "REGISTRY_PROTOCOL",
  });
}
