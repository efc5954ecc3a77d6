/**
 * Programs that keep credentials for docker: `docker-credential-NAME get|store|erase` (docker/docker-credential-helpers).
 * What goes in and out is secret, so it travels through pipes only. The name stands in a file of the user: it may choose a
 * program in PATH and nothing else.
 */
import { accessSync, constants, statSync } from "node:fs";
import { BunkerError } from "../errors.ts";
import { optionalString, parseJsonObject, show } from "../oci/json.ts";
import { type Credentials, credentialsOf, TOKEN_USER } from "../registry/credentials.ts";

/** Credentials can be neither read nor kept. */
export class CredentialError extends BunkerError {
  readonly code = "CREDENTIALS";
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** A person may have to unlock a key ring first. */
const RUN_MS_MAX = 120_000;
const MESSAGE_LENGTH_MAX = 200;

/** What a helper may need to find its store: key rings, pass, clouds. No LD_PRELOAD, no secrets of others. */
const PASSED_ON =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TERM|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|DBUS_SESSION_BUS_ADDRESS|XDG_[A-Z_]+|GNUPGHOME|GPG_TTY|PASSWORD_STORE_[A-Z_]+|AWS_[A-Z0-9_]+|GOOGLE_[A-Z_]+|CLOUDSDK_[A-Z_]+|AZURE_[A-Z_]+|(?:HTTPS?|NO)_PROXY|(?:https?|no)_proxy|SSL_CERT_(?:FILE|DIR))$/;

/** How helpers say that they have nothing; they exit with 1 then, as for any error. */
const NOT_FOUND = /credentials not found|no credentials server URL|no credentials username/i;

/**
 * Asks a helper for credentials.
 * @param key of the registry, as `dockerKey()` has it
 * @returns undefined when it has none
 * @throws {CredentialError} when it is missing, fails, or answers with something else
 */
export async function getFromHelper(name: string, key: string): Promise<Credentials | undefined> {
  const { exitCode, output } = await runHelper(name, "get", key);
  if (exitCode !== 0) {
    const text = output.toString();
    if (NOT_FOUND.test(text)) return undefined;
    throw failed(name, "get", `it says ${show(text.trim(), MESSAGE_LENGTH_MAX)}`);
  }
  try {
    const answer = parseJsonObject(output, "answer");
    const username = optionalString(answer, "Username", "answer");
    const secret = optionalString(answer, "Secret", "answer");
    return username === undefined || secret === undefined ? undefined : credentialsOf(username, secret);
  } catch {
    // The cause would quote the answer, which may hold the secret.
    throw failed(name, "get", "its answer makes no sense");
  }
}

/** Has a helper keep credentials. @throws {CredentialError} */
export async function storeWithHelper(name: string, key: string, credentials: Credentials): Promise<void> {
  const [Username, Secret] =
    credentials.type === "password"
      ? [credentials.username, credentials.password]
      : [TOKEN_USER, credentials.identityToken];
  const { exitCode, output } = await runHelper(
    name,
    "store",
    JSON.stringify({ ServerURL: key, Username, Secret }),
  );
  if (exitCode === 0) return;
  const text = output.toString().trim();
  // A helper that repeats its input would give the secret away.
  const said = text.includes(Secret)
    ? `it exits with ${exitCode}`
    : `it says ${show(text, MESSAGE_LENGTH_MAX)}`;
  throw failed(name, "store", said);
}

/** Has a helper forget a registry. @returns false when it knew nothing of it. @throws {CredentialError} */
export async function eraseFromHelper(name: string, key: string): Promise<boolean> {
  const { exitCode, output } = await runHelper(name, "erase", key);
  if (exitCode === 0) return true;
  const text = output.toString().trim();
  if (NOT_FOUND.test(text)) return false;
  throw failed(name, "erase", `it says ${show(text, MESSAGE_LENGTH_MAX)}`);
}

interface HelperResult {
  readonly exitCode: number;
  readonly output: Buffer;
}

async function runHelper(
  name: string,
  verb: "get" | "store" | "erase",
  input: string,
): Promise<HelperResult> {
  const child = Bun.spawn([findHelper(name), verb], {
    cwd: "/",
    env: Object.fromEntries(Object.entries(process.env).filter(([key]) => PASSED_ON.test(key))),
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "ignore",
  });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(failed(name, verb, `it has not ended after ${RUN_MS_MAX / 1000} s`)),
    RUN_MS_MAX,
  );
  try {
    const output = await Promise.race([readBounded(child.stdout), late.promise]);
    if (output === undefined) throw failed(name, verb, `it writes more than ${OUTPUT_BYTES_MAX} bytes`);
    return { exitCode: await Promise.race([child.exited, late.promise]), output };
  } finally {
    clearTimeout(timer);
    child.kill("SIGKILL");
  }
}

/** Undefined when there is more than fits. */
async function readBounded(stream: ReadableStream<Uint8Array>): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > OUTPUT_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Only absolute directories of PATH: the working directory may be anybody's. */
function findHelper(name: string): string {
  const program = `docker-credential-${name}`;
  if (NAME.test(name)) {
    for (const directory of (process.env["PATH"] ?? "").split(":")) {
      const path = `${directory}/${program}`;
      if (directory.startsWith("/") && isExecutable(path)) return path;
    }
  }
  throw new CredentialError(`Cannot find the credential helper ${show(name)}: no such program in PATH`, {
    hint: `Install it as "docker-credential-NAME", or take it out of docker's config.json`,
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function failed(name: string, verb: string, state: string): CredentialError {
  return new CredentialError(`Cannot ${verb} credentials with "docker-credential-${name}": ${state}`);
}
