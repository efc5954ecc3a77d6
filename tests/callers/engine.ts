/** What podman and docker have in common: a command line, names of containers, and one image. */
import { type PipedOptions, type PipedResult, runPiped } from "../helpers/pipes.ts";
import { Screen } from "../helpers/screen.ts";
import { type CallerHost, successOf, until } from "./host.ts";

const COMMAND_MS_MAX = 60_000;

/** The image that every row runs. */
export const IMAGE = "busy";

/** The container of a row that needs but one. */
export const NAME = "box";

/** How large the terminals of rows are. */
const SIZE = { columns: 100, rows: 30 } as const;

/**
 * Prints the size of the terminal, once it is that of the screen: docker and containerd set it with a request of their own
 * when the command runs already. Whoever looks at once sees none, whatever the runtime, and the exit code of busybox's stty
 * does not tell.
 */
export const SHOW_SIZE = `until stty size | grep '^${SIZE.rows} ${SIZE.columns}$'; do sleep 0.1; done`;

/** podman or docker, started and with the image in it. */
export class Engine {
  readonly kind: "podman" | "docker";
  readonly host: CallerHost;
  /** A script that is the command line, from wherever it is called. */
  readonly command: string;

  constructor({ kind, host, command }: Pick<Engine, "kind" | "host" | "command">) {
    this.kind = kind;
    this.host = host;
    this.command = command;
  }

  /** Runs `podman ARGS…` or `docker ARGS…` and gives whatever comes of it. */
  run(args: readonly string[], options: PipedOptions = {}): Promise<PipedResult> {
    return runPiped([this.command, ...args], {
      timeoutMs: COMMAND_MS_MAX,
      ...options,
      env: this.host.env(options.env),
    });
  }

  /** As {@link run}. @returns what it says, trimmed @throws {Error} when it fails */
  async succeed(args: readonly string[], options: PipedOptions = {}): Promise<string> {
    return successOf([this.kind, ...args], await this.run(args, options));
  }

  /** `run --rm OPTIONS… busy COMMAND…`. @returns its output, trimmed @throws {Error} when it fails */
  once(options: readonly string[], command: readonly string[]): Promise<string> {
    return this.succeed(["run", "--rm", ...options, IMAGE, ...command]);
  }

  /** Runs `podman events` or `docker events` from `since` (seconds of the epoch) until `isSo` of what they say. @returns it */
  async events(since: number, filters: readonly string[], isSo: (text: string) => boolean): Promise<string> {
    let text = "";
    await until("the events are told", async () => {
      const range = ["--since", String(since), "--until", String(Math.floor(Date.now() / 1000) + 1)];
      text = await this.succeed(["events", ...range, ...filters]);
      return isSo(text);
    });
    return text;
  }

  /** Starts a container named {@link NAME} in the background. */
  async background(options: readonly string[], command: readonly string[]): Promise<void> {
    await this.succeed(["run", "-d", "--name", NAME, ...options, IMAGE, ...command]);
  }

  /** `exec box COMMAND…`. @returns its output, trimmed @throws {Error} when it fails */
  exec(command: readonly string[]): Promise<string> {
    return this.succeed(["exec", NAME, ...command]);
  }

  /** `inspect --format`. */
  inspect(format: string, name = NAME): Promise<string> {
    return this.succeed(["inspect", "--format", format, name]);
  }

  /** A terminal of 100 columns and 30 rows, with a shell of the machine in it; `$C` is the command line. */
  screen(): Screen {
    const socket = `${this.host.directory}/tmux-${crypto.randomUUID().slice(0, 8)}`;
    const env = { PS1: "host> ", C: this.command, HOME: this.host.directory };
    return new Screen(socket, { env, ...SIZE });
  }

  async reset(): Promise<void> {
    const ids = (await this.succeed(["ps", "-aq"])).split("\n").filter(Boolean);
    const grace = this.kind === "podman" ? ["-t", "0"] : [];
    if (ids.length > 0) await this.succeed(["rm", "-f", ...grace, "-v", ...ids]);
  }
}
