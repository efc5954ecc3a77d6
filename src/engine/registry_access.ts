/**
 * All that speaking to a registry takes besides its name: what the configuration says, credentials, certificates. Read once
 * for a command, and plain data, so that a second bunker can have it from the first.
 */
import type { RegistryClientOptions } from "../registry/client.ts";
import { endpointsOf } from "../registry/endpoint.ts";
import { type RegistriesConfig, withoutVerification } from "../registry/registries_config.ts";
import { readHosts, systemAuthorities } from "./certificates.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import { findCredentials } from "./credentials.ts";

/** How a registry is spoken to, and what could not be read. */
export interface RegistryAccess {
  readonly client: Pick<RegistryClientOptions, "registries" | "credentials" | "certificates">;
  /** No reason to fail for a public image, and one to be told for others: {@link explainedBy}. */
  readonly failures: readonly Error[];
}

/** What a command line may want to be otherwise. */
export interface AccessRequest {
  /** False: any certificate will do, and plain HTTP [true]. */
  readonly tlsVerify?: boolean | undefined;
}

/**
 * Looks up what pulling from or pushing to a repository takes, its mirrors included.
 * @throws {UsageError} when the configuration cannot be used
 */
export async function findAccess(
  place: { readonly registry: string; readonly repository: string },
  request: AccessRequest,
  context: EngineContext,
): Promise<RegistryAccess> {
  const registries = registriesFor(place.registry, request, context);
  const { store, failures } = await findCredentials(place, registries);
  const certificates = await certificatesFor(place.registry, registries);
  return { client: { registries, credentials: store, certificates }, failures };
}

/** The configuration of registries, as the command line wants it. @throws {UsageError} */
export function registriesFor(
  registry: string,
  { tlsVerify = true }: AccessRequest,
  context: EngineContext,
): RegistriesConfig {
  const { registries } = readConfiguration(context);
  return tlsVerify ? registries : withoutVerification(registries, registry);
}

/** What a client is made with: access, and what cannot be handed to another process. */
export function clientOptions(
  { client }: RegistryAccess,
  onWarning: (text: string) => void,
): RegistryClientOptions {
  return { ...client, onWarning, findAuthorities: systemAuthorities };
}

/**
 * The machine's certificates; none where no TLS is spoken. Where that is only a guess, the system's authorities are left for
 * later: reading them takes 6 ms (measured), a fifth of a pull from a registry on loopback.
 */
export async function certificatesFor(
  registry: string,
  registries: RegistriesConfig,
): Promise<NonNullable<RegistryClientOptions["certificates"]>> {
  const hosts = await readHosts();
  const isTls = endpointsOf(registry, registries, hosts).some(({ baseUrl }) => baseUrl.startsWith("https:"));
  return { hosts, system: isTls ? await systemAuthorities() : [] };
}
