/**
 * Where the API of a registry is reached: its mirrors in the configured order, then the registry itself. Docker Hub's
 * API has a host of its own.
 *
 * Which protocol a registry speaks is what the configuration says, else TLS. On loopback nobody says it, and both are
 * common: there plain HTTP is tried first, and TLS where that turns out to be wrong (scheme.ts). The other order would be
 * no safer, since whoever holds the port decides in both, and costs 13 ms (measured) in front of every registry without
 * TLS. Where a directory of certificates exists for the registry, it is TLS alone.
 */
import { DEFAULT_REGISTRY } from "../oci/reference.ts";
import { isLoopback } from "./address.ts";
import type { RegistriesConfig, RegistryConfig } from "./registries_config.ts";
import type { CertificateStore } from "./trust.ts";

/** One place to ask; plain data, so that it can be handed to a Worker. */
export interface Endpoint {
  /** Name for messages and for the look-up of credentials: `docker.io`, `127.0.0.1:5000`. */
  readonly name: string;
  /** Base URL without a trailing slash, before `/v2/`. */
  readonly baseUrl: string;
  /** The same with the other protocol, where it may turn out to be that one. */
  readonly otherUrl?: string;
  /** False: any certificate will do [true]. */
  readonly verify?: boolean;
}

const HUB_API_HOST = "registry-1.docker.io";
const NO_MIRRORS: RegistryConfig = { mirrors: [] };

/**
 * The endpoints of a registry, in the order in which they are asked; at least one.
 * @param registry as in a reference, e.g. `docker.io`
 * @param certificates hosts that there are certificates for
 */
export function endpointsOf(
  registry: string,
  config: RegistriesConfig = {},
  certificates: CertificateStore["hosts"] = {},
): readonly [Endpoint, ...Endpoint[]] {
  const { mirrors, ...own } = entryOf(config, registry);
  const host = registry === DEFAULT_REGISTRY ? HUB_API_HOST : registry;
  const [scheme, other] = schemesOf(host, own, Object.hasOwn(certificates, registry));
  const itself: Endpoint = {
    name: registry,
    baseUrl: `${scheme}://${host}`,
    ...(other === undefined ? {} : { otherUrl: `${other}://${host}` }),
    ...verified(own.verify),
  };
  const [first, ...rest] = [...mirrors.map((baseUrl) => mirrorAt(baseUrl, config)), itself];
  return [first ?? itself, ...rest];
}

/** The protocol to begin with, and the other where it is only a guess. */
function schemesOf(
  host: string,
  { tls, mayBePlain = false }: Omit<RegistryConfig, "mirrors">,
  hasCertificates: boolean,
): readonly ["http" | "https", ("http" | "https")?] {
  if (tls !== undefined) return [tls ? "https" : "http"];
  if (hasCertificates) return ["https"];
  if (isLoopback(new URL(`http://${host}`))) return ["http", "https"];
  return mayBePlain ? ["https", "http"] : ["https"];
}

function mirrorAt(baseUrl: string, config: RegistriesConfig): Endpoint {
  const name = new URL(baseUrl).host;
  return { name, baseUrl, ...verified(entryOf(config, name).verify) };
}

function entryOf(config: RegistriesConfig, name: string): RegistryConfig {
  return (Object.hasOwn(config, name) ? config[name] : undefined) ?? NO_MIRRORS;
}

const verified = (verify: boolean | undefined): { readonly verify?: boolean } =>
  verify === undefined ? {} : { verify };

/** The URL of a manifest or blob (distribution-spec, spec.md#pull). */
export function contentUrl(
  endpoint: Endpoint,
  content: { readonly repository: string; readonly kind: "manifests" | "blobs"; readonly name: string },
): URL {
  return new URL(`${endpoint.baseUrl}/v2/${content.repository}/${content.kind}/${content.name}`);
}
