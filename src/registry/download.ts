/**
 * One file from anywhere on the web, as a stream of its bytes: nothing of the user's goes along, and nobody on the way may
 * send us into this machine or a private network (SSRF).
 */
import { isLoopback, isPrivate, mayFollow } from "./address.ts";
import { type Exchange, type HttpRequest, send } from "./exchange.ts";
import { REDIRECT_COUNT_MAX, REDIRECT_STATUSES } from "./follow.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";

/**
 * Downloads a file.
 * @param address an http or https URL without credentials
 * @throws {RegistryError} when it is none, does not exist, or is cut short
 */
export async function* download(
  address: string,
  { signal, trust }: Pick<HttpRequest, "signal" | "trust"> = {},
): AsyncGenerator<Uint8Array> {
  const exchange = await open(parseAddress(address), { signal, trust });
  if (exchange.status !== 200) {
    await exchange.discard();
    throw refused(exchange.url, `the server answers with status ${exchange.status}`);
  }
  yield* exchange.chunks();
}

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

function parseAddress(address: string): URL {
  const url = URL.parse(address);
  if (url === null || !isAddress(url.href)) {
    throw new RegistryError("Cannot download a file: its address is not an http or https URL", {
      code: "REGISTRY_PROTOCOL",
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw refused(url, "it holds credentials", "Download it with another program and give it to bunker");
  }
  return url;
}

async function open(first: URL, common: Pick<HttpRequest, "signal" | "trust">): Promise<Exchange> {
  let url = first;
  for (let hop = 0; hop <= REDIRECT_COUNT_MAX; hop += 1) {
    const exchange = await send({ method: "GET", url, headers: {}, kind: "blob", ...common });
    if (!REDIRECT_STATUSES.includes(exchange.status)) return exchange;
    const target = URL.parse(exchange.header("location") ?? "", url.href);
    await exchange.discard();
    if (target === null) throw refused(url, "a redirect without a target");
    if (!mayFollow(url, target) || (isPrivate(target) && !isPrivate(url) && !isLoopback(url))) {
      throw refused(url, `it redirects to "${urlForMessages(target)}", which is not allowed`);
    }
    target.username = "";
    target.password = "";
    url = target;
  }
  throw refused(first, `more than ${REDIRECT_COUNT_MAX} redirects`);
}

function refused(url: URL, state: string, hint?: string): RegistryError {
  return new RegistryError(`Cannot download "${urlForMessages(url)}": ${state}`, {
    code: "REGISTRY_PROTOCOL",
    ...(hint === undefined ? {} : { hint }),
  });
}
