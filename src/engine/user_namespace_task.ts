/**
 * Work that needs to be root of a user namespace, done by a second bunker that is started in one: pulling, copying and
 * removing files of several owners. The task goes over as one argument; its environment is made here and holds
 * nothing of any image.
 */
import { BunkerError } from "../errors.ts";
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

/** Runs a task. @throws {ReportedError} when it failed. */
export async function runTask(task: Task, idMaps: IdMaps): Promise<void> {
  const maps = { uidMappings: idMaps.uids, gidMappings: idMaps.gids };
  const env = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`],
  );
  // A compiled executable has its program inside; with `bun run src/main.ts` the file is the second word.
  const script = process.argv[1]?.startsWith("/$bunfs/") ? [] : [process.argv[1] as string];
  const args = [process.execPath, ...script, TASK_WORD, JSON.stringify(task)];
  const exit = await runInUserNamespace(maps, {
    path: process.execPath,
    args,
    env,
    programFile: `${stateRoot({ debug: false })}/task-${process.pid}`,
  });
  const exitCode = "code" in exit ? exit.code : 128 + exit.signal;
  if (exitCode !== 0) throw new ReportedError(exitCode);
}
