/**
 * The `registries` object of the configuration: for each registry its mirrors, whether it speaks TLS, and whether its
 * certificate has to be right.
 *
 *   {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]}, "registry.lan:5000": {"tls": false}, "old.lan": {"verify": false}}
 */
import { UsageError } from "../errors.ts";
import { arrayAt, type JsonObject, objectAt, stringAt } from "../oci/json.ts";

/** What the configuration says about one registry. */
export interface RegistryConfig {
  /** Base URLs asked before the registry itself, in order, without a trailing slash. */
  readonly mirrors: readonly string[];
  /** Undefined: TLS; on loopback what is spoken there. */
  readonly tls?: boolean;
  /** False: any certificate of it, and of the hosts that it leads to, will do. Undefined: it has to be right. */
  readonly verify?: boolean;
  /** Set for one command only: plain HTTP will do where it is no TLS. */
  readonly mayBePlain?: boolean;
}

/** By registry, as in a reference: `docker.io`, `localhost:5000`. */
export type RegistriesConfig = Readonly<Record<string, RegistryConfig>>;

const MIRROR_COUNT_MAX = 16;
const KEYS: readonly string[] = ["mirrors", "tls", "verify"];

/** As `--tls-verify=false` has it: for one command any certificate of a registry will do, and plain HTTP too. */
export function withoutVerification(config: RegistriesConfig, registry: string): RegistriesConfig {
  const { mirrors = [], tls } = (Object.hasOwn(config, registry) ? config[registry] : undefined) ?? {};
  const entry = { mirrors, ...(tls === undefined ? {} : { tls }), verify: false, mayBePlain: true };
  return { ...config, [registry]: entry };
}

/** @throws {UsageError} that names the wrong value */
export function parseRegistriesConfig(value: unknown): RegistriesConfig {
  try {
    const registries = Object.entries(objectAt(value, "registries"));
    return Object.fromEntries(
      registries.map(([name, entry]) => [name, parseEntry(entry, `registries.${name}`)]),
    );
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError('Cannot use the configuration: "registries" is not valid', { cause });
  }
}

function parseEntry(value: unknown, path: string): RegistryConfig {
  const object = objectAt(value, path);
  const unknownKey = Object.keys(object).find((key) => !KEYS.includes(key));
  if (unknownKey !== undefined) {
    throw new UsageError(
      `Cannot use the configuration: "${path}" has the unknown key ${JSON.stringify(unknownKey)}`,
    );
  }
  const tls = optionalBoolean(object, "tls", path);
  const verify = optionalBoolean(object, "verify", path);
  const mirrors = arrayAt(object["mirrors"], `${path}.mirrors`, MIRROR_COUNT_MAX);
  return {
    mirrors: mirrors.map((mirror, index) => parseMirror(stringAt(mirror, `${path}.mirrors[${index}]`))),
    ...(tls === undefined ? {} : { tls }),
    ...(verify === undefined ? {} : { verify }),
  };
}

function optionalBoolean(object: JsonObject, key: string, path: string): boolean | undefined {
  const value = object[key];
  if (value === undefined || typeof value === "boolean") return value;
  throw new UsageError(`Cannot use the configuration: "${path}.${key}" is not true or false`);
}

function parseMirror(text: string): string {
  const url = URL.parse(text);
  const isPlain =
    url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isPlain || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new UsageError(`Cannot use the configuration: the mirror ${JSON.stringify(text)} is not a URL`, {
      hint: 'Write it as "http://HOST:PORT" or "https://HOST", without user, password or query',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
