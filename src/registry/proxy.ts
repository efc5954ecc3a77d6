/**
 * Which proxy a request goes through. The rules are those of Go's programs, which docker's and podman's users know; Bun has
 * others: it sends loopback through a proxy, knows no ranges of addresses, and reads no port in an exception.
 *
 *     HTTPS_PROXY, https_proxy   for https      NO_PROXY, no_proxy   *  example.com  .example.com  10.0.0.0/8  host:8080
 *     HTTP_PROXY, http_proxy     for http
 */
import { BlockList, isIP } from "node:net";
import { UsageError } from "../errors.ts";
import { isLoopback } from "./address.ts";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Longest list of exceptions that is read, in characters. */
const EXCEPTIONS_LENGTH_MAX = 64 * 1024;

/**
 * The proxy for a request, with user and password when it wants them.
 * @returns undefined when there is none, or `url` is an exception; loopback always is
 * @throws {UsageError} when the variable holds no URL of a proxy that can be used
 */
export function proxyFor(url: URL, environment: Environment = process.env): URL | undefined {
  if (isLoopback(url)) return undefined;
  const variable = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const text = variableOf(environment, variable);
  if (text === "" || isException(url, variableOf(environment, "NO_PROXY"))) return undefined;
  const proxy = URL.parse(/^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`);
  if (proxy !== null && proxy.hostname !== "" && /^https?:$/.test(proxy.protocol)) return proxy;
  throw new UsageError(`Cannot use the proxy of ${variable}: it is no http or https URL`, {
    hint: `Set it as ${variable}=http://HOST:PORT`,
  });
}

/** Upper case first. */
function variableOf(environment: Environment, name: string): string {
  const upper = environment[name] ?? "";
  return (upper === "" ? (environment[name.toLowerCase()] ?? "") : upper).trim();
}

function isException(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? { "https:": "443", "http:": "80" }[url.protocol] : url.port;
  return list
    .slice(0, EXCEPTIONS_LENGTH_MAX)
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== "" && matches(entry, { host, port: port ?? "" }));
}

function matches(entry: string, { host, port }: { readonly host: string; readonly port: string }): boolean {
  if (entry === "*") return true;
  const range = /^([0-9a-f.:]+)\/([0-9]{1,3})$/.exec(entry);
  if (range !== null) return isInRange(host, range[1] ?? "", Number(range[2]));
  const { name, wantedPort } = parseEntry(entry);
  if (wantedPort !== undefined && wantedPort !== port) return false;
  if (isIP(name) !== 0) return isInRange(host, name, isIP(name) === 4 ? 32 : 128);
  const suffix = name.replace(/^\*?\./, "");
  if (suffix !== name) return host.endsWith(`.${suffix}`);
  return host === name || host.endsWith(`.${name}`);
}

/** `name`, `name:port`, `[address]:port`, or a bare address of IPv6, whose colons are no ports. */
function parseEntry(entry: string): { readonly name: string; readonly wantedPort: string | undefined } {
  if (isIP(entry) === 6) return { name: entry, wantedPort: undefined };
  const [, bracketed, plain, wantedPort] = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?$/.exec(entry) ?? [];
  return { name: bracketed ?? plain ?? entry, wantedPort };
}

function isInRange(host: string, network: string, prefix: number): boolean {
  const [family, own] = [isIP(network), isIP(host)];
  if (family === 0 || own !== family || prefix > (family === 4 ? 32 : 128)) return false;
  const name = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, prefix, name);
  return list.check(host, name);
}
