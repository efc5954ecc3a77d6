/** Debian's buildah, with a store of its own, in a host of its own. */
import { writeFileSync } from "node:fs";
import { type PipedOptions, type PipedResult, runPiped } from "../helpers/pipes.ts";
import { Screen } from "../helpers/screen.ts";
import { buildTar } from "../helpers/tar_builder.ts";
import { type CallerHost, startOnHost, successOf } from "./host.ts";
import { imageEntries } from "./image.ts";
import { podmanConfiguration } from "./podman.ts";
import { installRuntime } from "./runtime.ts";

/** The image, and the working container of every row. */
export const IMAGE = "localhost/busy";
export const NAME = "box";

const COMMAND_MS_MAX = 60_000;

/** `buildah` and its store. */
export class Buildah {
  readonly host: CallerHost;
  /** A script that is the command line, from wherever it is called. */
  readonly command: string;
  /** Path of the runtime, which is that of commands that name none. */
  readonly runtime: string;

  constructor(host: CallerHost) {
    this.host = host;
    const configuration = `${host.directory}/containers.conf`;
    writeFileSync(configuration, podmanConfiguration(host));
    // The machine's own rules stay out of it.
    writeFileSync(`${host.directory}/policy.json`, '{"default":[{"type":"insecureAcceptAnything"}]}');
    const places = ["--root", host.makeDirectory("store/root"), "--runroot", host.makeDirectory("store/run")];
    this.runtime = installRuntime(host.directory);
    this.command = host.script("buildah", [
      `export CONTAINERS_CONF=${configuration} HOME=${host.directory} BUILDAH_RUNTIME=${this.runtime} BUILDAH_ISOLATION=oci`,
      `exec ${host.directory}/enter buildah ${places.join(" ")} --storage-driver=overlay "$@"`,
    ]);
  }

  /** Runs `buildah ARGS…` and gives whatever comes of it. */
  run(args: readonly string[], options: PipedOptions = {}): Promise<PipedResult> {
    const env = this.host.env(options.env);
    return runPiped([this.command, ...args], { timeoutMs: COMMAND_MS_MAX, ...options, env });
  }

  /** As {@link run}. @returns what it says, trimmed @throws {Error} when it fails */
  async succeed(args: readonly string[], options: PipedOptions = {}): Promise<string> {
    return successOf(["buildah", ...args], await this.run(args, options));
  }

  /** Makes the working container {@link NAME}. */
  async from(options: readonly string[] = []): Promise<void> {
    await this.succeed(["from", "--pull-never", "--name", NAME, ...options, IMAGE]);
  }

  /** `buildah run OPTIONS… box COMMAND…`. */
  runIn(options: readonly string[], command: readonly string[]): Promise<PipedResult> {
    return this.run(["run", ...options, NAME, "--", ...command]);
  }

  /** `buildah build` of a file, in an empty context. */
  build(lines: readonly string[], options: readonly string[] = []): Promise<PipedResult> {
    const context = this.host.makeDirectory("context");
    writeFileSync(`${context}/Containerfile`, lines.join("\n"));
    return this.run(["build", "--pull-never", ...options, context]);
  }

  /** A terminal with a shell of the machine in it; `$C` is the command line. */
  screen(): Screen {
    const socket = `${this.host.directory}/tmux-${crypto.randomUUID().slice(0, 8)}`;
    return new Screen(socket, {
      env: { C: this.command, HOME: this.host.directory },
      columns: 100,
      rows: 30,
    });
  }

  async reset(): Promise<void> {
    const ids = (await this.succeed(["containers", "-q"])).split("\n").filter(Boolean);
    if (ids.length > 0) await this.succeed(["rm", ...ids]);
  }
}

/** Starts a host and makes the image. */
export function startBuildah(): Promise<Buildah> {
  return startOnHost("buildah-host", async (host) => {
    const buildah = new Buildah(host);
    const archive = `${host.directory}/image.tar`;
    writeFileSync(archive, buildTar(imageEntries()));
    await buildah.succeed(["from", "--name", "first", "scratch"]);
    await buildah.succeed(["add", "first", archive, "/"]);
    await buildah.succeed(["config", "--cmd", "/bin/sh", "first"]);
    const policy = ["--signature-policy", `${host.directory}/policy.json`];
    await buildah.succeed(["commit", "-q", ...policy, "first", IMAGE]);
    await buildah.reset();
    await buildah.from();
    await buildah.runIn([], ["true"]);
    await buildah.reset();
    return buildah;
  });
}
