/**
 * `login` and `logout`. Nothing is kept before the registry has taken it. It is kept where docker would keep it, so that
 * docker, podman and bunker share one login.
 */
import { DEFAULT_REGISTRY, parseRegistry } from "../oci/reference.ts";
import { type Credentials, credentialsOf, dockerKey } from "../registry/credentials.ts";
import { logIn } from "../registry/login.ts";
import { systemAuthorities } from "./certificates.ts";
import type { EngineContext } from "./context.ts";
import {
  changeDockerConfig,
  dockerConfigPath,
  podmanAuthPaths,
  readClientConfig,
} from "./credential_files.ts";
import { CredentialError, eraseFromHelper, getFromHelper, storeWithHelper } from "./credential_helper.ts";
import { findCredentials } from "./credentials.ts";
import { type AccessRequest, certificatesFor, registriesFor } from "./registry_access.ts";

/** Who logs in where. */
export interface LoginRequest extends AccessRequest {
  /** Host with or without a port, or a URL; undefined: Docker Hub. */
  readonly server: string | undefined;
  /** Undefined: with what is kept already. The user `<token>` has an identity token for a password. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
}

/** Where credentials lie from now on. */
export interface LoginResult {
  readonly registry: string;
  readonly keptBy:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "helper"; readonly name: string };
}

/**
 * Logs in.
 * @throws {RegistryError} REGISTRY_UNAUTHORIZED when the registry refuses; nothing is kept then
 * @throws {CredentialError} when they cannot be kept
 */
export async function login(request: LoginRequest, context: EngineContext): Promise<LoginResult> {
  const { server, user } = request;
  const registry = registryOf(server);
  const registries = registriesFor(registry, request, context);
  const certificates = await certificatesFor(registry, registries);
  const credentials =
    user === undefined ? await keptCredentials(registry) : credentialsOf(user.name, user.password);
  if (credentials === undefined)
    throw new CredentialError(`Cannot log in to "${registry}": there is no password`);
  // A file that cannot be changed is found out before a password is sent anywhere.
  const helper = helperFor(registry);
  const work = (signal?: AbortSignal) =>
    logIn(registry, credentials, { registries, certificates, findAuthorities: systemAuthorities, signal });
  const kept = await (context.interruptible?.(work) ?? work());
  if (helper === undefined) {
    await changeDockerConfig(registry, kept, context);
    return { registry, keptBy: { kind: "file", path: dockerConfigPath() } };
  }
  await storeWithHelper(helper, dockerKey(registry), kept);
  await changeDockerConfig(registry, "elsewhere", context);
  return { registry, keptBy: { kind: "helper", name: helper } };
}

/** The user whose credentials are kept for a server, `<token>` for an identity token; undefined when there are none. */
export async function keptUser(server: string | undefined): Promise<string | undefined> {
  const credentials = await keptCredentials(registryOf(server));
  return credentials?.type === "identity" ? "<token>" : credentials?.username;
}

/** What became of a logout. */
export interface LogoutResult {
  readonly registry: string;
  readonly wasLoggedIn: boolean;
  /** Files of podman that have credentials for it, too: they stay. */
  readonly remaining: readonly string[];
}

/** Forgets the credentials of a server. @throws {CredentialError} when they cannot be removed */
export async function logout(server: string | undefined, context: EngineContext): Promise<LogoutResult> {
  const registry = registryOf(server);
  const helper = helperFor(registry);
  const key = dockerKey(registry);
  // Helpers differ in what they say to the erasure of what they do not have: it is asked first.
  const isHeld = helper !== undefined && (await getFromHelper(helper, key)) !== undefined;
  const wasErased = helper !== undefined && isHeld && (await eraseFromHelper(helper, key));
  const wasListed = await changeDockerConfig(registry, undefined, context);
  const remaining = podmanAuthPaths().filter((path) => readClientConfig(path)?.auths.has(registry));
  return { registry, wasLoggedIn: wasErased || wasListed, remaining };
}

const registryOf = (server: string | undefined): string =>
  server === undefined || server === "" ? DEFAULT_REGISTRY : parseRegistry(server);

/** The helper that docker's config.json names for a registry. */
function helperFor(registry: string): string | undefined {
  const config = readClientConfig(dockerConfigPath());
  return (config?.credHelpers.get(registry) ?? config?.credsStore) || undefined;
}

async function keptCredentials(registry: string): Promise<Credentials | undefined> {
  const { store } = await findCredentials({ registry, repository: "" }, {});
  return store[registry];
}
