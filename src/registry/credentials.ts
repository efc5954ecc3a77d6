/**
 * Credentials for registries, in the shapes of Docker's client configuration (`auths` of config.json). The file is read
 * by the caller. Nothing here is ever put into a message.
 */
import { objectAt, optionalObject, optionalString } from "../oci/json.ts";
import { DEFAULT_REGISTRY } from "../oci/reference.ts";

/** User and password, or an identity token that is exchanged for access tokens. */
export type Credentials =
  | { readonly type: "password"; readonly username: string; readonly password: string }
  | { readonly type: "identity"; readonly identityToken: string };

/** By registry, as in a reference. */
export type CredentialStore = Readonly<Record<string, Credentials>>;

/** What a credential helper calls the user of an identity token. */
const TOKEN_USER = "<token>";

/**
 * Parses a Docker client configuration; entries that hold nothing usable are left out, as Docker does.
 * @throws {SyntaxError} when it or its `auths` is not an object
 */
export function parseDockerAuths(value: unknown): CredentialStore {
  const auths = optionalObject(objectAt(value, "config.json"), "auths", "config.json") ?? {};
  const entries = Object.entries(auths).flatMap(([key, entry]) => {
    const credentials = parseAuth(objectAt(entry, "auths"));
    return credentials === undefined ? [] : [[registryOfKey(key), credentials] as const];
  });
  return Object.fromEntries(entries);
}

/** The value of an Authorization header, or undefined for an identity token. */
export function basicAuthorization(credentials: Credentials): string | undefined {
  if (credentials.type !== "password") return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
}

function parseAuth(entry: Readonly<Record<string, unknown>>): Credentials | undefined {
  const identityToken = optionalString(entry, "identitytoken", "auths");
  if (identityToken !== undefined) return { type: "identity", identityToken };
  const auth = optionalString(entry, "auth", "auths");
  const decoded = auth === undefined ? undefined : Buffer.from(auth, "base64").toString("utf8");
  const colon = decoded?.indexOf(":") ?? -1;
  const username = colon > 0 ? decoded?.slice(0, colon) : optionalString(entry, "username", "auths");
  const password = colon > 0 ? decoded?.slice(colon + 1) : optionalString(entry, "password", "auths");
  if (username === undefined || password === undefined) return undefined;
  if (username === TOKEN_USER) return { type: "identity", identityToken: password };
  return { type: "password", username, password: password.replace(/\0+$/, "") };
}

/** Docker's key for the Hub is a URL of its old index; other keys may be URLs too. */
function registryOfKey(key: string): string {
  const host = key.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  return host === "index.docker.io" || host === "registry-1.docker.io" ? DEFAULT_REGISTRY : host;
}
