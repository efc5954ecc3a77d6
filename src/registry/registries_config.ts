/**
 * The `registries` object of the configuration: for each registry its mirrors and whether it speaks TLS.
 *
 *   {"docker.io": {"mirrors": ["http://127.0.0.1:5000"]}, "registry.lan:5000": {"tls": false}}
 */
import { UsageError } from "../errors.ts";
import { arrayAt, objectAt, stringAt } from "../oci/json.ts";

/** What the configuration says about one registry. */
export interface RegistryConfig {
  /** Base URLs asked before the registry itself, in order, without a trailing slash. */
  readonly mirrors: readonly string[];
  /** Undefined: plain HTTP on loopback, TLS elsewhere. */
  readonly tls?: boolean;
}

/** By registry, as in a reference: `docker.io`, `localhost:5000`. */
export type RegistriesConfig = Readonly<Record<string, RegistryConfig>>;

const MIRROR_COUNT_MAX = 16;

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
  const unknownKey = Object.keys(object).find((key) => key !== "mirrors" && key !== "tls");
  if (unknownKey !== undefined) {
    throw new UsageError(
      `Cannot use the configuration: "${path}" has the unknown key ${JSON.stringify(unknownKey)}`,
    );
  }
  const tls = object["tls"];
  if (tls !== undefined && typeof tls !== "boolean") {
    throw new UsageError(`Cannot use the configuration: "${path}.tls" is not true or false`);
  }
  const mirrors = arrayAt(object["mirrors"], `${path}.mirrors`, MIRROR_COUNT_MAX);
  return {
    mirrors: mirrors.map((mirror, index) => parseMirror(stringAt(mirror, `${path}.mirrors[${index}]`))),
    ...(tls === undefined ? {} : { tls }),
  };
}

function parseMirror(text: string): string {
  const url = URL.parse(text);
  const isPlain =
    url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!isPlain || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new UsageError(`Cannot use the configuration: the mirror ${JSON.stringify(text)} is not a URL`, {
      hint: 'Write it as "http://HOST:PORT" or "https://HOST", without user, password or query.',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
