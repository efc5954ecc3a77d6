/**
 * Work that needs to be root of a user namespace, done by a second bunker that is started in one: pulling, copying and
 * removing files of several owners. The task goes over as one argument; its environment is made here and holds
 * nothing of any image.
 */
import { call } from "../linux/call.ts";
import { Fd } from "../linux/file.ts";
import { createMemfd, writeAll } from "../linux/memfd.ts";
import { pipe2 } from "../linux/pipe.ts";
import { inheritedFd } from "../linux/spawn.ts";
import type { Platform } from "../oci/platform.ts";
import { runInUserNamespace } from "../runtime/user_namespace.ts";
import type { CommitHere } from "./commit.ts";
import type { EngineContext } from "./context.ts";
import type { DiffHere } from "./diff.ts";
import { stateRoot } from "./directories.ts";
import type { ExportHere } from "./export.ts";
import type { ImportRequest } from "./import.ts";
import { ownCommand } from "./own_command.ts";
import type { RegistryAccess } from "./registry_access.ts";
import type { IdMaps } from "./rootless.ts";
import { readMessages, TaskError, type TaskMessage } from "./task_channel.ts";
import type { ViewQuestion } from "./view_layers.ts";

/** First word of the command line of such a second bunker; src/main.ts knows it. */
export const TASK_WORD = "--user-namespace-task";

/** What can be done there. */
export type Task =
  | {
      readonly kind: "pull";
      readonly reference: string;
      readonly platform: string | undefined;
      readonly verbose?: boolean | undefined;
      readonly single: boolean;
      readonly context: Pick<EngineContext, "root" | "state" | "config" | "debug">;
    }
  | {
      readonly kind: "load";
      /** Absolute; undefined: standard input. */
      readonly file: string | undefined;
      readonly platform: Platform | undefined;
      readonly single: boolean;
      readonly context: Pick<EngineContext, "root" | "state" | "config" | "debug">;
    }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "view"; readonly root: string; readonly question: ViewQuestion }
  | {
      readonly kind: "audit";
      readonly root: string;
      readonly request: { readonly full: boolean; readonly repair: boolean };
      readonly single: boolean;
    }
  | {
      readonly kind: "copy";
      readonly root: string;
      readonly lower: readonly string[];
      readonly target: string;
    }
  | (ExportHere & { readonly kind: "export" })
  | (DiffHere & { readonly kind: "diff" })
  | (CommitHere & { readonly kind: "commit"; readonly root: string; readonly single: boolean })
  | {
      readonly kind: "import";
      readonly root: string;
      readonly single: boolean;
      readonly request: ImportRequest;
    };

/** Variables of the caller that a pull may need; everything else stays behind. */
const passedOn = [
  "HOME",
  "XDG_CONFIG_HOME",
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "NO_PROXY",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
];

/** What the task must not show to anybody: it goes over in memory that the second bunker inherits. */
export interface TaskSecrets {
  readonly client: RegistryAccess["client"];
  /** Why something may be missing; see RegistryAccess. */
  readonly failures: readonly string[];
}

/** Number in the second bunker of the descriptor that holds {@link TaskSecrets} as JSON. */
export const SECRETS_FD = inheritedFd(0);

/** Number in the second bunker of the first descriptor of {@link TaskOptions.inherit}. */
export const FIRST_GIVEN_FD = inheritedFd(2);

/** How a task is followed. */
export interface TaskOptions {
  /** Descriptors that the task works with, from {@link FIRST_GIVEN_FD} on [none]. */
  readonly inherit?: readonly number[];
  readonly secrets?: TaskSecrets;
  /** Called with what the task tells while it goes on. */
  readonly onMessage?: (message: Exclude<TaskMessage, { kind: "failed" }>) => void;
  /** Ends the task. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a task.
 * @throws {RelayedError} the task's own error, with its code, hint and causes
 * @throws {TaskError} when it ended without one
 * @throws the signal's reason when it is aborted
 */
export async function runTask(task: Task, idMaps: IdMaps, options: TaskOptions = {}): Promise<void> {
  const { secrets, onMessage = () => undefined, signal, inherit = [] } = options;
  const maps = { uidMappings: idMaps.uids, gidMappings: idMaps.gids };
  const env = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`],
  );
  using memory = memoryWith(JSON.stringify(secrets ?? {}));
  const { read, write } = pipe2();
  using _ = new Fd(read);
  const messages = readMessages(read, onMessage);
  // Nobody would read on: the task ends, in place of waiting for room in the pipe.
  const deaf = new AbortController();
  messages.catch((error) => deaf.abort(error));
  const exit = await runInUserNamespace(
    maps,
    {
      path: process.execPath,
      args: [...ownCommand(), TASK_WORD, JSON.stringify(task)],
      env,
      inherit: [memory.number, write, ...inherit],
      programFile: `${stateRoot({ debug: false })}/task-${process.pid}`,
    },
    signal === undefined ? deaf.signal : AbortSignal.any([signal, deaf.signal]),
  ).finally(() => call("close", write));
  const failure = await messages;
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure;
  const exitCode = "code" in exit ? exit.code : 128 + exit.signal;
  if (exitCode !== 0) throw new TaskError({ exitCode });
}

/** Runs a task that answers. @returns its answers, whose shape the task knows @throws as {@link runTask} */
export async function askTask(
  task: Task,
  idMaps: IdMaps,
  options: Pick<TaskOptions, "inherit" | "signal"> = {},
): Promise<unknown[]> {
  const answers: unknown[] = [];
  await runTask(task, idMaps, {
    ...options,
    onMessage: (message) => {
      if (message.kind === "answer") answers.push(...message.values);
    },
  });
  return answers;
}

function memoryWith(text: string): Fd {
  const memory = new Fd(createMemfd("secrets"));
  writeAll(memory.number, new Uint8Array(Buffer.from(text)));
  return memory;
}
