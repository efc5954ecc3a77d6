/**
 * Where the API of a registry is reached: its mirrors in the configured order, then the registry itself. Docker Hub's
 * API has a host of its own; loopback registries may speak plain HTTP, others only when the configuration says so.
 */
import { DEFAULT_REGISTRY } from "../oci/reference.ts";
import { isLoopback } from "./address.ts";
import type { RegistriesConfig } from "./registries_config.ts";

/** One place to ask; plain data, so that it can be handed to a Worker. */
export interface Endpoint {
  /** Name for messages and for the look-up of credentials: `docker.io`, `127.0.0.1:5000`. */
  readonly name: string;
  /** Base URL without a trailing slash, before `/v2/`. */
  readonly baseUrl: string;
}

const HUB_API_HOST = "registry-1.docker.io";

/**
 * The endpoints of a registry, in the order in which they are asked; at least one.
 * @param registry as in a reference, e.g. `docker.io`
 */
export function endpointsOf(
  registry: string,
  config: RegistriesConfig = {},
): readonly [Endpoint, ...Endpoint[]] {
  const own = config[registry];
  const host = registry === DEFAULT_REGISTRY ? HUB_API_HOST : registry;
  const tls = own?.tls ?? !isLoopback(new URL(`http://${host}`));
  const itself = { name: registry, baseUrl: `${tls ? "https" : "http"}://${host}` };
  const mirrors = (own?.mirrors ?? []).map((baseUrl) => ({ name: new URL(baseUrl).host, baseUrl }));
  const [first, ...rest] = [...mirrors, itself];
  return [first ?? itself, ...rest];
}

/** The URL of a manifest or blob (distribution-spec, spec.md#pull). */
export function contentUrl(
  endpoint: Endpoint,
  content: { readonly repository: string; readonly kind: "manifests" | "blobs"; readonly name: string },
): URL {
  return new URL(`${endpoint.baseUrl}/v2/${content.repository}/${content.kind}/${content.name}`);
}
