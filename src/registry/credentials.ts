/**
 * Credentials for registries, in the shapes of Docker's client configuration (config.json) and podman's auth.json. The
 * files are read by the caller. Nothing here is ever put into a message.
 */
import { type JsonObject, objectAt, optionalObject, optionalString, stringAt } from "../oci/json.ts";
import { DEFAULT_REGISTRY } from "../oci/reference.ts";

/** User and password, or an identity token that is exchanged for access tokens. */
export type Credentials =
  | { readonly type: "password"; readonly username: string; readonly password: string }
  | {
      readonly type: "identity";
      readonly identityToken: string;
      /** For token servers that take it in a password's place [`<token>`]. */
      readonly username?: string;
    };

/** By registry, as in a reference. */
export type CredentialStore = Readonly<Record<string, Credentials>>;

/** What a client configuration says about credentials; keys are those of {@link authKey}. */
export interface ClientConfig {
  readonly auths: ReadonlyMap<string, Credentials>;
  /** Programs `docker-credential-NAME` for single registries; an empty name: none, whatever `credsStore` says. */
  readonly credHelpers: ReadonlyMap<string, string>;
  /** The program for all others. */
  readonly credsStore: string | undefined;
}

/** What a credential helper calls the user of an identity token. */
export const TOKEN_USER = "<token>";

/** Docker's key for the Hub: the URL of its old index. */
const HUB_KEY = "https://index.docker.io/v1/";
const HUB_HOSTS: readonly string[] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/**
 * Parses a client configuration; entries that hold nothing usable are left out, as Docker does.
 * @throws {SyntaxError} when it or one of its parts has the wrong shape
 */
export function parseClientConfig(value: unknown): ClientConfig {
  const config = objectAt(value, "config.json");
  const auths = byKey(optionalObject(config, "auths", "config.json") ?? {}, (entry) =>
    // Programs that write them leave such for what they keep elsewhere.
    entry === null ? undefined : parseAuth(objectAt(entry, "auths")),
  );
  const credHelpers = byKey(optionalObject(config, "credHelpers", "config.json") ?? {}, (name) =>
    name === null ? undefined : stringAt(name, "credHelpers"),
  );
  return { auths, credHelpers, credsStore: optionalString(config, "credsStore", "config.json") };
}

/**
 * Entries by {@link authKey}. Of several spellings of one key the one that docker looks up decides: a login by way of the
 * browser leaves `https://index.docker.io/v1/access-token` and `…/refresh-token` beside it, which are no passwords.
 */
function byKey<Value>(
  object: JsonObject,
  parse: (value: unknown) => Value | undefined,
): ReadonlyMap<string, Value> {
  const entries = Object.entries(object).flatMap(([key, value]) => {
    const parsed = parse(value);
    return parsed === undefined ? [] : [{ key, parsed }];
  });
  entries.sort((one, other) => exactness(one.key) - exactness(other.key));
  // The last of equals wins.
  return new Map(entries.map(({ key, parsed }) => [authKey(key), parsed]));
}

function exactness(key: string): number {
  const registry = authKey(key);
  if (key === dockerKey(registry)) return 2;
  return key === registry ? 1 : 0;
}

/**
 * One form for all spellings of a key: `docker.io` for every name of the Hub, the host of a URL, and otherwise the host with
 * the path below which podman's entry holds.
 */
export function authKey(key: string): string {
  const [host = "", ...path] = key
    .replace(/^https?:\/\//, "")
    .replace(/\/+$/, "")
    .split("/");
  const isUrl = /^https?:\/\//.test(key) || /^v[12]$/.test(path[0] ?? "");
  const registry = HUB_HOSTS.includes(host) ? DEFAULT_REGISTRY : host;
  return isUrl ? registry : [registry, ...path].join("/");
}

/** The key under which Docker keeps a registry's credentials, and by which its helpers know it. */
export function dockerKey(registry: string): string {
  return registry === DEFAULT_REGISTRY ? HUB_KEY : registry;
}

/**
 * What holds for a repository: the entry of the longest path that it lies below, at last that of the registry.
 * @param entries by {@link authKey}
 */
export function findEntry<Value>(
  entries: ReadonlyMap<string, Value>,
  { registry, repository }: { readonly registry: string; readonly repository: string },
): Value | undefined {
  const path = [registry, ...repository.split("/").filter((part) => part !== "")];
  for (; path.length > 0; path.pop()) {
    const entry = entries.get(path.join("/"));
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** An entry of `auths`, which {@link parseClientConfig} reads. */
export function formatAuth(credentials: Credentials): JsonObject {
  return credentials.type === "password"
    ? { auth: base64(`${credentials.username}:${credentials.password}`) }
    : {
        auth: base64(`${credentials.username ?? TOKEN_USER}:`),
        identitytoken: credentials.identityToken,
      };
}

/** Credentials as a helper or a person has them: a certain user name stands for an identity token. */
export function credentialsOf(username: string, secret: string): Credentials {
  return username === TOKEN_USER
    ? { type: "identity", identityToken: secret }
    : { type: "password", username, password: secret };
}

/** The value of an Authorization header, or undefined for an identity token. */
export function basicAuthorization(credentials: Credentials): string | undefined {
  if (credentials.type !== "password") return undefined;
  return `Basic ${base64(`${credentials.username}:${credentials.password}`)}`;
}

function parseAuth(entry: JsonObject): Credentials | undefined {
  const identityToken = optionalString(entry, "identitytoken", "auths");
  const auth = optionalString(entry, "auth", "auths");
  const decoded = auth === undefined ? undefined : Buffer.from(auth, "base64").toString("utf8");
  const colon = decoded?.indexOf(":") ?? -1;
  const username = colon > 0 ? decoded?.slice(0, colon) : optionalString(entry, "username", "auths");
  if (identityToken !== undefined) {
    const isNamed = username !== undefined && username !== TOKEN_USER;
    return { type: "identity", identityToken, ...(isNamed ? { username } : {}) };
  }
  const password = colon > 0 ? decoded?.slice(colon + 1) : optionalString(entry, "password", "auths");
  if (username === undefined || password === undefined) return undefined;
  return credentialsOf(username, password.replace(/\0+$/, ""));
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
