/**
 * Which certificates a host has to show, and which we show to it. All of it is PEM text that somebody else has read, and
 * plain data, so that it can be handed to a Worker.
 *
 *     the authorities that Bun knows  +  the system's  +  those of the registry  +  those of the host itself
 *
 * A registry's own authorities hold wherever it leads to, to its token server and to where its blobs lie: both are its
 * choice anyway. A client certificate is shown to the host that it was made for and to no other.
 */
import type { Endpoint } from "./endpoint.ts";
import { RegistryError } from "./registry_error.ts";

/** What is known about one host. */
export interface HostCertificates {
  /** Authorities besides the usual ones. */
  readonly authorities: readonly string[];
  /** Shown where the host asks for one. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** Why they cannot be used: told when the host is met. */
  readonly failure?: string;
}

/** Certificates as the machine has them. */
export interface CertificateStore {
  /** By `HOST` or `HOST:PORT`, as in references. */
  readonly hosts: Readonly<Record<string, HostCertificates>>;
  /** Authorities of the system that Bun does not know. */
  readonly system: readonly string[];
}

/** What holds for all requests of a conversation with one endpoint. */
export interface Trust {
  /** False: any certificate will do. */
  readonly verify: boolean;
  /** By host of the URL; the endpoint's own under the host of its URL. */
  readonly hosts: Readonly<Record<string, HostCertificates>>;
  /** Of the endpoint. */
  readonly authorities: readonly string[];
  readonly system: readonly string[];
}

/** What fetch takes. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** No more than Bun knows by itself. */
export const DEFAULT_TRUST: Trust = { verify: true, hosts: {}, authorities: [], system: [] };

/** Gathers what holds for an endpoint. */
export function trustOf({ name, baseUrl, verify }: Endpoint, certificates: CertificateStore): Trust {
  const { hosts, system } = certificates;
  const { host } = new URL(baseUrl);
  const own = ownEntry(hosts, name) ?? ownEntry(hosts, host);
  return {
    verify: verify ?? true,
    hosts: own === undefined ? hosts : { ...hosts, [host]: own },
    authorities: own?.authorities ?? [],
    system,
  };
}

/** True when something is known that the plain options do not have: then a failed handshake may succeed with it. */
export function hasSystemAuthorities(trust: Trust): boolean {
  return trust.system.length > 0;
}

/**
 * The options for a request to `url`.
 * @param withSystem trust the system's authorities too: only where it has been refused without, since a list of hundreds
 * costs half a millisecond a request (measured)
 * @throws {RegistryError} REGISTRY_TLS when the host's certificates cannot be used
 */
export async function tlsOptions(url: URL, trust: Trust, withSystem = false): Promise<TlsOptions> {
  const host = ownEntry(trust.hosts, url.host);
  if (host?.failure !== undefined && url.protocol === "https:") throw unusable(url, host.failure);
  const own = new Set([
    ...trust.authorities,
    ...(host?.authorities ?? []),
    ...(withSystem ? trust.system : []),
  ]);
  return {
    // Said even when it is true: NODE_TLS_REJECT_UNAUTHORIZED=0 would switch verification off.
    rejectUnauthorized: trust.verify,
    // A list replaces the one that Bun knows, so that this has to be in it.
    ...(own.size === 0 ? {} : { ca: [...(await defaultAuthorities()), ...own] }),
    ...host?.client,
  };
}

/** Lazily: the module takes 2 ms to load (measured), and most requests do without. */
async function defaultAuthorities(): Promise<readonly string[]> {
  const { getCACertificates } = await import("node:tls");
  return getCACertificates("default");
}

function ownEntry(hosts: Trust["hosts"], name: string): HostCertificates | undefined {
  return Object.hasOwn(hosts, name) ? hosts[name] : undefined;
}

function unusable(url: URL, failure: string): RegistryError {
  return new RegistryError(`Cannot speak TLS with "${url.host}": ${failure}`, {
    code: "REGISTRY_TLS",
    hint: "Mend the files in the certs.d directory of the registry, or remove them",
  });
}
