/**
 * The files in which clients keep credentials: docker's config.json, which is read and written, and podman's auth.json,
 * which is read only. Other programs write their own things into them, which stay as they are.
 */
import { chmodSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { removeTemporaries, writeFileAtomic } from "../fs/atomic.ts";
import { Lock } from "../fs/lock.ts";
import { objectAt, optionalObject } from "../oci/json.ts";
import {
  authKey,
  type ClientConfig,
  type Credentials,
  dockerKey,
  formatAuth,
  parseClientConfig,
} from "../registry/credentials.ts";
import { openStore } from "../store/open_store.ts";
import type { EngineContext } from "./context.ts";
import { CredentialError } from "./credential_helper.ts";
import { dataRoot } from "./directories.ts";
import { homeDirectory, userDirectory } from "./home.ts";

/** Largest file that is read, in characters. */
const FILE_SIZE_MAX = 1 << 20;

/** Docker's config.json: `$DOCKER_CONFIG/config.json`, or `~/.docker/config.json`. */
export function dockerConfigPath(): string {
  const given = process.env["DOCKER_CONFIG"];
  return `${given === undefined || given === "" ? `${homeDirectory()}/.docker` : given}/config.json`;
}

/** Podman's files in the order in which it reads them (containers-auth.json(5)). */
export function podmanAuthPaths(): readonly string[] {
  const { REGISTRY_AUTH_FILE: given, XDG_RUNTIME_DIR: runtime } = process.env;
  if (given !== undefined && given !== "") return [given];
  const volatile =
    runtime === undefined || runtime === ""
      ? `/run/containers/${process.getuid?.()}`
      : `${runtime}/containers`;
  return [`${volatile}/auth.json`, `${userDirectory("XDG_CONFIG_HOME", ".config")}/containers/auth.json`];
}

/**
 * Reads one of these files.
 * @returns undefined when it is missing
 * @throws {CredentialError} when it cannot be read or is not of that form
 */
export function readClientConfig(path: string): ClientConfig | undefined {
  const value = readJson(path);
  if (value === undefined) return undefined;
  try {
    return parseClientConfig(value);
  } catch (cause) {
    throw new CredentialError(`Cannot use the credentials in "${path}"`, { cause });
  }
}

/**
 * Changes the entries of one registry in docker's config.json, for everybody who reads it: the old file or the new one.
 * @param credentials `"elsewhere"`: a helper has them, which docker marks by an empty entry; undefined: none any more
 * @returns whether there were entries before
 * @throws {CredentialError} when the file is not of that form: it stays as it is then
 */
export async function changeDockerConfig(
  registry: string,
  credentials: Credentials | "elsewhere" | undefined,
  context: EngineContext,
): Promise<boolean> {
  const path = dockerConfigPath();
  const root = dataRoot(context);
  openStore(root);
  // Two logins at once must not lose one of the two.
  using _ = await Lock.take(`${root}/locks/docker-config`);
  const config = parsedConfig(path);
  const auths = Object.entries(optionalObject(config, "auths", path) ?? {});
  const others = auths.filter(([key]) => authKey(key) !== registry);
  const had = others.length < auths.length;
  if (credentials === undefined && !had) return false;
  const added =
    credentials === undefined
      ? []
      : [[dockerKey(registry), credentials === "elsewhere" ? {} : formatAuth(credentials)] as const];
  const text = JSON.stringify({ ...config, auths: Object.fromEntries([...others, ...added]) }, null, "\t");
  write(path, `${text}\n`);
  return had;
}

function parsedConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    return objectAt(readJson(path) ?? {}, "config.json");
  } catch (cause) {
    if (cause instanceof CredentialError) throw cause;
    throw new CredentialError(`Cannot change "${path}"`, { cause });
  }
}

/** A link stays one: people keep this file in a repository of their settings. */
function write(path: string, text: string): void {
  const isNew = !exists(dirname(path));
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (isNew) chmodSync(dirname(path), 0o700);
    const target = exists(path) ? realpathSync(path) : path;
    // What a killed login has left holds a password. Whoever writes there at this moment with another data root is told.
    removeTemporaries(dirname(target));
    writeFileAtomic(target, text, { mode: 0o600 });
  } catch (cause) {
    throw new CredentialError(`Cannot write "${path}"`, { cause });
  }
}

function exists(path: string): boolean {
  try {
    realpathSync(path);
    return true;
  } catch {
    return false;
  }
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CredentialError(`Cannot read "${path}"`, { cause });
  }
  try {
    if (text.length > FILE_SIZE_MAX) throw new RangeError("Cannot read a file of more than 1 MiB");
    return JSON.parse(text);
  } catch {
    // The cause could quote a line of the file.
    throw new CredentialError(`Cannot use "${path}": it is no JSON of at most 1 MiB`, {
      hint: "Mend the file, or move it away",
    });
  }
}
