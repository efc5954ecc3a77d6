/**
 * Which addresses a registry may point us to. A registry chooses the realm of its tokens and the targets of its
 * redirects: without rules a public one could have us ask services of this machine or its network (SSRF).
 */

/** The URL parser turns every spelling of an IPv4 address into this one; anything else is a name. */
const IPV4 = /^[0-9]+(?:\.[0-9]+){3}$/;
const PRIVATE_V4 =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2[0-9]|3[01])\.|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.)/;

/** True for `localhost`, 127.0.0.0/8 and ::1. */
export function isLoopback(url: URL): boolean {
  // A dot at the end changes nothing for whoever looks the name up.
  const host = url.hostname.replace(/\.$/, "");
  return host === "localhost" || host.endsWith(".localhost") || isV4In(/^127\./, host) || isLoopbackV6(host);
}

/** True for a literal of a link-local address, the place of cloud metadata services, or the unspecified one. */
export function isLinkLocal(url: URL): boolean {
  const host = url.hostname;
  return isV4In(/^(?:169\.254|0)\./, host) || /^\[fe[89ab]/.test(host) || host === "[::]" || isMappedV4(host);
}

/** True for a literal of RFC 1918, RFC 6598 or RFC 4193. */
export function isPrivate(url: URL): boolean {
  return isV4In(PRIVATE_V4, url.hostname) || /^\[f[cd]/.test(url.hostname);
}

/**
 * True when a reply from `from` may send us to `to`: never from TLS to plain HTTP, never into this machine or to
 * link-local addresses unless `from` is such itself.
 */
export function mayFollow(from: URL, to: URL): boolean {
  if (to.protocol !== "https:" && to.protocol !== "http:") return false;
  if (from.protocol === "https:" && to.protocol === "http:") return false;
  if (isLoopback(to)) return isLoopback(from);
  return !isLinkLocal(to) || to.host === from.host;
}

/** As {@link mayFollow}, and to no private address other than the registry's own. */
export function mayAuthenticateAt(registry: URL, realm: URL): boolean {
  return mayFollow(registry, realm) && (!isPrivate(realm) || realm.host === registry.host);
}

/** True when a password or refresh token may travel to `url`: encrypted, or not leaving this machine. */
export function isConfidential(url: URL): boolean {
  return url.protocol === "https:" || isLoopback(url);
}

function isV4In(range: RegExp, host: string): boolean {
  return IPV4.test(host) && range.test(host);
}

function isLoopbackV6(host: string): boolean {
  return host === "[::1]" || /^\[::ffff:7f/.test(host);
}

/** IPv4 in IPv6 dress, e.g. `[::ffff:a9fe:a9fe]`: nobody names a registry so. */
function isMappedV4(host: string): boolean {
  return host.startsWith("[::ffff:") && !isLoopbackV6(host);
}
