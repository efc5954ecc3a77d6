/** `bunker login`: user and password from options, standard input, or the terminal; texts and rules are docker's. */
import type { EngineContext } from "../engine/context.ts";
import type { LoginResult } from "../engine/login.ts";
import { BunkerError } from "../errors.ts";
import { readCommandLine } from "./command_line.ts";
import { CommandLineError } from "./command_line_error.ts";
import { interruptible } from "./interruption.ts";
import type { ParsedOptions } from "./options.ts";
import { harmless, writeError, writeOut } from "./output.ts";
import { loginSpec } from "./registry_specs.ts";
import { describeError } from "./report.ts";
import { tlsVerifyOf } from "./tls_verify.ts";

/** Longest password that is read, in bytes. */
const PASSWORD_BYTES_MAX = 64 * 1024;

/** Logs in to the registry that the words name. @returns the exit code. */
export async function logIn(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(loginSpec, words);
  if (parsed === undefined) return 0;
  checkOptions(parsed);
  const [server] = parsed.operands;
  const { login } = await import("../engine/login.ts");
  const engine = { ...context, interruptible };
  const result =
    (await loginWithKept(parsed, engine)) ??
    (await login({ server, user: await userOf(parsed), tlsVerify: tlsVerifyOf(parsed) }, engine));
  if (result.keptBy.kind === "file") {
    writeError(
      `WARNING! Your credentials are stored unencrypted in '${harmless(result.keptBy.path)}'.\n` +
        "Configure a credential helper to remove this warning: credsStore or credHelpers in that file.\n",
    );
  }
  writeOut("Login Succeeded\n");
  return 0;
}

function checkOptions(parsed: ParsedOptions): void {
  const hasPassword = parsed.text("password") !== undefined;
  if (hasPassword && parsed.flag("password-stdin"))
    throw new CommandLineError("--password and --password-stdin are mutually exclusive");
  if (parsed.flag("password-stdin") && (parsed.text("username") ?? "") === "")
    throw new CommandLineError("the --password-stdin option requires --username to be set");
  if (hasPassword) writeError("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
}

/** With what is kept, when nothing else was given; undefined when there is nothing, or it is refused and somebody can be asked. */
async function loginWithKept(
  parsed: ParsedOptions,
  context: EngineContext,
): Promise<LoginResult | undefined> {
  if (parsed.text("username") !== undefined || parsed.text("password") !== undefined) return undefined;
  const [server] = parsed.operands;
  const [{ keptUser, login }, { canAsk }] = await Promise.all([
    import("../engine/login.ts"),
    import("./prompt.ts"),
  ]);
  const user = await keptUser(server);
  if (user === undefined) return undefined;
  writeError(`Authenticating with existing credentials... [Username: ${harmless(user)}]\n`);
  try {
    return await login({ server, user: undefined, tlsVerify: tlsVerifyOf(parsed) }, context);
  } catch (error) {
    const isRefusal = error instanceof BunkerError && error.code === "REGISTRY_UNAUTHORIZED";
    if (!isRefusal || !canAsk()) throw error;
    writeError(describeError(error));
    return undefined;
  }
}

async function userOf(parsed: ParsedOptions): Promise<{ name: string; password: string }> {
  const given = parsed.flag("password-stdin") ? await passwordOfInput() : parsed.text("password");
  const name = parsed.text("username") ?? (await askFor("Username: ", false));
  const password = given ?? (await askFor("Password: ", true));
  if (name === "") throw new CommandLineError("username is empty");
  if (password === "") throw new CommandLineError("password is empty");
  return { name, password };
}

async function askFor(question: string, hidden: boolean): Promise<string> {
  const { ask, canAsk } = await import("./prompt.ts");
  if (!canAsk()) {
    throw new CommandLineError("cannot perform an interactive login from a non TTY device", {
      hint: "Give --username and --password-stdin",
    });
  }
  return (await ask(question, { hidden }))?.trim() ?? "";
}

/** Everything up to the end, without one line break there. */
async function passwordOfInput(): Promise<string> {
  const bytes = await Bun.stdin.slice(0, PASSWORD_BYTES_MAX + 1).bytes();
  if (bytes.length > PASSWORD_BYTES_MAX)
    throw new CommandLineError(`the password on stdin has more than ${PASSWORD_BYTES_MAX} bytes`);
  return Buffer.from(bytes)
    .toString()
    .replace(/\r?\n$/, "");
}
