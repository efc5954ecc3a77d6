/**
 * Work that needs to be root of a user namespace, done by a second bunker that is started in one: pulling, copying and
 * removing files of several owners. The task goes over as one argument; its environment is made here and holds
 * nothing of any image.
 */
import { BunkerError } from "../errors.ts";
import { Fd } from "../linux/file.ts";
import { createMemfd, writeAll } from "../linux/memfd.ts";
import { inheritedFd } from "../linux/spawn.ts";
import type { CredentialStore } from "../registry/credentials.ts";
import { runInUserNamespace } from "../runtime/user_namespace.ts";
import type { EngineContext } from "./context.ts";
import { stateRoot } from "./directories.ts";
import type { IdMaps } from "./rootless.ts";

/** First word of the command line of such a second bunker; src/main.ts knows it. */
export const TASK_WORD = "--user-namespace-task";

/** What can be done there. */
export type Task =
  | {
      readonly kind: "pull";
      readonly reference: string;
      readonly platform: string | undefined;
      readonly quiet: boolean;
      readonly implicit: boolean;
      readonly single: boolean;
      readonly context: Pick<EngineContext, "root" | "state" | "config" | "debug">;
    }
  | {
      readonly kind: "load";
      /** Absolute; undefined: standard input. */
      readonly file: string | undefined;
      readonly single: boolean;
      readonly context: Pick<EngineContext, "root" | "state" | "config" | "debug">;
    }
  | { readonly kind: "remove"; readonly path: string }
  | {
      readonly kind: "copy";
      readonly root: string;
      readonly lower: readonly string[];
      readonly target: string;
    };

/** The second bunker failed and has said why on stderr. */
export class ReportedError extends BunkerError {
  readonly code = "REPORTED";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("The second process has said why");
    this.exitCode = exitCode;
  }
}

/** Variables of the caller that a pull may need; everything else stays behind. */
const passedOn = [
  "HOME",
  "XDG_CONFIG_HOME",
  "TERM",
  "NO_COLOR",
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "NO_PROXY",
  "no_proxy",
  "SSL_CERT_FILE",
];

/** What the task must not show to anybody: it goes over in memory that the second bunker inherits. */
export interface TaskSecrets {
  readonly store: CredentialStore;
  /** Why there may be none; see FoundCredentials. */
  readonly failures: readonly string[];
}

/** Number in the second bunker of the descriptor that holds {@link TaskSecrets} as JSON. */
export const SECRETS_FD = inheritedFd(0);

/** Runs a task. @throws {ReportedError} when it failed. */
export async function runTask(task: Task, idMaps: IdMaps, secrets?: TaskSecrets): Promise<void> {
  const maps = { uidMappings: idMaps.uids, gidMappings: idMaps.gids };
  const env = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`],
  );
  // A compiled executable has its program inside; with `bun run src/main.ts` the file is the second word.
  const script = process.argv[1]?.startsWith("/$bunfs/") ? [] : [process.argv[1] as string];
  const args = [process.execPath, ...script, TASK_WORD, JSON.stringify(task)];
  const memory = secrets === undefined ? undefined : memoryWith(JSON.stringify(secrets));
  using _ = memory;
  const exit = await runInUserNamespace(maps, {
    path: process.execPath,
    args,
    env,
    inherit: memory === undefined ? [] : [memory.number],
    programFile: `${stateRoot({ debug: false })}/task-${process.pid}`,
  });
  const exitCode = "code" in exit ? exit.code : 128 + exit.signal;
  if (exitCode !== 0) throw new ReportedError(exitCode);
}

function memoryWith(text: string): Fd {
  const memory = new Fd(createMemfd("secrets"));
  writeAll(memory.number, new Uint8Array(Buffer.from(text)));
  return memory;
}
