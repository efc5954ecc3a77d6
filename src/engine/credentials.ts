/**
 * Which credentials go to a registry: of docker's config.json its helper for the registry, its helper for all, its own
 * entries; then the same of podman's files. The first that has some decides.
 */
import {
  type ClientConfig,
  type CredentialStore,
  type Credentials,
  dockerKey,
  findEntry,
} from "../registry/credentials.ts";
import { endpointsOf } from "../registry/endpoint.ts";
import type { RegistriesConfig } from "../registry/registries_config.ts";
import { dockerConfigPath, podmanAuthPaths, readClientConfig } from "./credential_files.ts";
import { getFromHelper } from "./credential_helper.ts";

/** What was found, and what could not be asked. */
export interface FoundCredentials {
  readonly store: CredentialStore;
  /** Helpers that fail, files of another form: no reason to fail for a public image, and one to be told for others. */
  readonly failures: readonly Error[];
}

/** Looks up what pulling from or pushing to a repository takes: for its registry and each of its mirrors. */
export async function findCredentials(
  place: { readonly registry: string; readonly repository: string },
  registries: RegistriesConfig,
): Promise<FoundCredentials> {
  const failures: Error[] = [];
  const names = endpointsOf(place.registry, registries).map(({ name }) => name);
  const found = await Promise.all(
    names.map(async (registry) => {
      const credentials = await findFor({ registry, repository: place.repository }, failures);
      return credentials === undefined ? [] : [[registry, credentials] as const];
    }),
  );
  return { store: Object.fromEntries(found.flat()), failures };
}

/** Hangs what could not be asked onto an error that it may explain. */
export function explainedBy(error: unknown, failures: readonly Error[]): unknown {
  const [failure] = failures;
  if (error instanceof Error && error.cause === undefined && failure !== undefined) error.cause = failure;
  return error;
}

async function findFor(
  place: { readonly registry: string; readonly repository: string },
  failures: Error[],
): Promise<Credentials | undefined> {
  const { registry } = place;
  const places = [
    { path: dockerConfigPath(), key: dockerKey(registry) },
    // Podman's helpers know the Hub by its name, docker's by the URL of its index.
    ...podmanAuthPaths().map((path) => ({ path, key: registry })),
  ];
  for (const { path, key } of places) {
    const config = tryRead(path, failures);
    if (config === undefined) continue;
    const helper = findEntry(config.credHelpers, place) ?? config.credsStore ?? "";
    const kept = helper === "" ? undefined : await askHelper(helper, key, failures);
    const credentials = kept ?? findEntry(config.auths, place);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

function tryRead(path: string, failures: Error[]): ClientConfig | undefined {
  try {
    return readClientConfig(path);
  } catch (error) {
    failures.push(error as Error);
    return undefined;
  }
}

async function askHelper(helper: string, key: string, failures: Error[]): Promise<Credentials | undefined> {
  try {
    return await getFromHelper(helper, key);
  } catch (error) {
    failures.push(error as Error);
    return undefined;
  }
}
