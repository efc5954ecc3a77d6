/** Debian's containerd, with a root, state and socket of its own, in a host of its own; containers are run by `ctr`. */
import { readFileSync, writeFileSync } from "node:fs";
import { buildImage } from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { type PipedOptions, type PipedResult, runPiped } from "../helpers/pipes.ts";
import { Screen } from "../helpers/screen.ts";
import { type CallerHost, startOnHost, successOf, until } from "./host.ts";
import { imageEntries } from "./image.ts";
import { installRuntime } from "./runtime.ts";

/** The image that every row runs, and the container of a row that needs but one. */
export const IMAGE = "example.test/busy:latest";
export const NAME = "box";

const COMMAND_MS_MAX = 60_000;

/** `ctr` and what it speaks to. */
export class Containerd {
  readonly host: CallerHost;
  /** A script that is the command line, from wherever it is called. */
  readonly command: string;
  /** Flags of `run` that name the runtime. */
  readonly runtimeFlags: readonly string[];

  constructor(host: CallerHost) {
    this.host = host;
    this.runtimeFlags = ["--runc-binary", installRuntime(host.directory)];
    const address = `${host.directory}/socket`;
    this.command = host.script("ctr", [`exec ${host.directory}/enter ctr --address ${address} "$@"`]);
    host.script("ctr-run", [`exec ${this.command} run ${this.runtimeFlags.join(" ")} "$@"`]);
  }

  /** Runs `ctr ARGS…` and gives whatever comes of it. */
  run(args: readonly string[], options: PipedOptions = {}): Promise<PipedResult> {
    const env = this.host.env(options.env);
    return runPiped([this.command, ...args], { timeoutMs: COMMAND_MS_MAX, ...options, env });
  }

  /** As {@link run}. @returns what it says, trimmed @throws {Error} when it fails */
  async succeed(args: readonly string[], options: PipedOptions = {}): Promise<string> {
    return successOf(["ctr", ...args], await this.run(args, options));
  }

  /** `ctr run --rm OPTIONS… IMAGE box COMMAND…` with the runtime under test. */
  once(
    options: readonly string[],
    command: readonly string[],
    piped: PipedOptions = {},
  ): Promise<PipedResult> {
    const words = ["run", "--rm", ...this.runtimeFlags, ...options, IMAGE, NAME, ...later(command)];
    return this.run(words, { ...piped, stdin: `${GO}${piped.stdin ?? ""}` });
  }

  /** As {@link once}. @returns what it says, trimmed @throws {Error} when it fails */
  async show(options: readonly string[], command: readonly string[]): Promise<string> {
    return successOf(["ctr", "run", ...options], await this.once(options, command));
  }

  /** Starts the container {@link NAME} in the background. */
  async background(options: readonly string[], command: readonly string[]): Promise<void> {
    await this.succeed(["run", "-d", ...this.runtimeFlags, ...options, IMAGE, NAME, ...command]);
  }

  /** `ctr tasks exec box COMMAND…`. */
  exec(command: readonly string[], options: readonly string[] = []): Promise<PipedResult> {
    return this.execDirectly(later(command), options, { stdin: GO });
  }

  /** As {@link exec}, without waiting. */
  execDirectly(
    command: readonly string[],
    options: readonly string[] = [],
    piped: PipedOptions = {},
  ): Promise<PipedResult> {
    const id = crypto.randomUUID().slice(0, 8);
    return this.run(["tasks", "exec", "--exec-id", id, ...options, NAME, ...command], piped);
  }

  /** What `ctr tasks ls` says of {@link NAME}, e.g. `RUNNING`; undefined when there is no task. */
  async status(): Promise<string | undefined> {
    return /^box +\d+ +(\w+)/m.exec(await this.succeed(["tasks", "ls"]))?.[1];
  }

  /** A terminal with a shell of the machine in it; `$C` is `ctr`, `$R` is `ctr run` with the runtime. */
  screen(): Screen {
    const socket = `${this.host.directory}/tmux-${crypto.randomUUID().slice(0, 8)}`;
    const env = { C: this.command, R: `${this.host.directory}/ctr-run`, HOME: this.host.directory };
    return new Screen(socket, { env, columns: 100, rows: 30 });
  }

  async reset(): Promise<void> {
    if ((await this.status()) !== undefined) await this.run(["tasks", "rm", "--force", NAME]);
    const names = (await this.succeed(["containers", "ls", "-q"])).split("\n").filter(Boolean);
    if (names.length > 0) await this.succeed(["containers", "rm", ...names]);
  }
}

/**
 * ctr opens the pipes of a command while that one starts, and misses its output when it has ended before: under load one in
 * a hundred, with any runtime that takes as long to return as the command to run. So it waits for a first line of input,
 * which comes when all of its pipes are open.
 */
const later = (command: readonly string[]): string[] => ["sh", "-c", 'read go; exec "$@"', "sh", ...command];

/** That line. */
const GO = "go\n";

/** Starts a host with a containerd in it, and imports the image. */
export function startContainerd(): Promise<Containerd> {
  return startOnHost("containerd-host", async (host) => {
    const path = (name: string): string => `${host.directory}/${name}`;
    writeFileSync(path("config.toml"), configuration(host));
    host.daemon("containerd", ["containerd", "--config", path("config.toml")]);
    const containerd = new Containerd(host);
    await until("containerd answers", async () => (await containerd.run(["version"])).exitCode === 0).catch(
      (cause) => {
        throw new Error(readFileSync(path("containerd.log"), "utf8"), { cause });
      },
    );
    writeOciLayout(path("layout"), { [IMAGE]: buildImage({ layers: [{ entries: imageEntries() }] }) });
    await host.succeed(["tar", "-C", path("layout"), "-cf", path("image.tar"), "."]);
    await containerd.succeed(["images", "import", path("image.tar")]);
    await host.makeCgroup("default");
    await containerd.show([], ["true"]);
    return containerd;
  });
}

/** Kubernetes' plug-in wants a network, and nothing here uses it. */
function configuration(host: CallerHost): string {
  return [
    "version = 2",
    `root = "${host.directory}/data"`,
    `state = "${host.directory}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper"]',
    "oom_score = 0",
    "[grpc]",
    `  address = "${host.directory}/socket"`,
    "",
  ].join("\n");
}
