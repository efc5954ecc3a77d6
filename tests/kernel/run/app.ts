/**
 * The image that the tests of `run` use: Debian's static busybox, a few users, and what a test adds. It is pulled into the
 * sandbox from a registry of this process, which is closed before anything runs.
 */
import { readFileSync } from "node:fs";
import type { LayerPreference } from "../../../src/image/erofs/layer_form.ts";
import { pullImage } from "../../../src/image/pull.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { BUSYBOX } from "../../helpers/alpine_image.ts";
import { type BunkerOptions, programs } from "../../helpers/bunker.ts";
import { serveRegistry } from "../../helpers/fake_registry.ts";
import { buildImage, type ImageSpec, type LayerSpec } from "../../helpers/image_builder.ts";
import { layerPreference } from "../../helpers/layer_preference.ts";
import type { PipedResult } from "../../helpers/pipes.ts";
import type { Need } from "../../helpers/requires.ts";
import type { Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";

/** What every test with this image needs. */
export const RUN_NEEDS: readonly Need[] = ["root", "overlayfs", "program busybox"];

export const PASSWD = [
  "root:x:0:0:root:/root:/bin/sh",
  "user:x:1000:1000:user:/home/user:/bin/sh",
  "other:x:1001:1002::/:/bin/sh",
].join("\n");
export const GROUP = ["root:x:0:", "user:x:1000:", "staff:x:50:user,other", "tape:x:26:user"].join("\n");

const APPLETS =
  "[ awk cat chmod chown cp dd df echo env false find grep head hostname id ip kill ln ls mkdir mknod mount mv nc ps pwd " +
  "readlink rm sed sh sleep sort stat stty tail tee test timeout touch tr true tty umount uname unshare wc xargs";

/** busybox with its links, users, and the usual directories. */
export const baseLayer = (): LayerSpec => ({
  compression: "none",
  entries: [
    ...["bin/", "dev/", "etc/", "home/", "proc/", "root/", "sys/", "usr/", "var/"].map((name) => ({ name })),
    { name: "tmp/", mode: 0o1777 },
    { name: "home/user/", uid: 1000, gid: 1000 },
    { name: "bin/busybox", data: readFileSync(BUSYBOX ?? "busybox-static is not installed"), mode: 0o755 },
    ...APPLETS.split(" ").map(
      (name): TarEntry => ({ name: `bin/${name}`, type: "symlink", link: "busybox" }),
    ),
    { name: "etc/passwd", data: `${PASSWD}\n` },
    { name: "etc/group", data: `${GROUP}\n` },
  ],
});

/** What a test adds to the image. */
export interface AppSpec {
  /** A layer above the base. */
  readonly entries?: readonly TarEntry[];
  /** Entrypoint, Cmd, Env … */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of all of it. */
  readonly image?: ImageSpec;
  /** How the layers are kept [layer_preference.ts]. */
  readonly layers?: LayerPreference;
}

/** Options of one run. */
export type RunWith = Partial<Omit<BunkerOptions, "root" | "state">>;

/** A run that goes on. */
export class Running implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #output: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #seen = "";

  constructor(child: Bun.Subprocess<"pipe", "pipe", "pipe">) {
    this.#child = child;
    this.#output = child.stdout[Symbol.asyncIterator]();
  }

  /** Process id of bunker. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until stdout has `text`. @throws {Error} when it ends without. @returns all so far */
  async output(text: string): Promise<string> {
    while (!this.#seen.includes(text)) {
      const { done, value } = await this.#output.next();
      if (done) throw new Error(`no "${text}" in "${this.#seen}": ${await this.#child.stderr.text()}`);
      this.#seen += this.#decoder.decode(value, { stream: true });
    }
    return this.#seen;
  }

  /** The rest of stdout, with what was seen. */
  async rest(): Promise<string> {
    for (;;) {
      const { done, value } = await this.#output.next();
      if (done) return this.#seen;
      this.#seen += this.#decoder.decode(value, { stream: true });
    }
  }

  /** Writes to stdin. */
  type(text: string): void {
    this.#child.stdin.write(text);
    this.#child.stdin.flush();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Exit code, or 128 + n when bunker itself was killed by signal n. */
  get exited(): Promise<number> {
    return this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** Tests run the sources: what is tested is what was edited. */
const PROGRAM = "bun run src/main.ts";

/** The image in the store of a sandbox. */
export class App {
  readonly reference: string;
  readonly #sandbox: Sandbox;

  private constructor(reference: string, sandbox: Sandbox) {
    this.reference = reference;
    this.#sandbox = sandbox;
  }

  /** Builds the image and pulls it into the sandbox's store. */
  static async install(sandbox: Sandbox, spec: AppSpec = {}): Promise<App> {
    const added = spec.entries === undefined ? [] : [{ entries: spec.entries }];
    const image = buildImage(
      spec.image ?? {
        layers: [baseLayer(), ...added],
        config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"], ...spec.config },
      },
    );
    await using registry = serveRegistry({ images: { "app:latest": image } });
    const reference = `${registry.host}/app`;
    const layers = spec.layers ?? layerPreference;
    await pullImage({ reference: parseReference(reference), root: sandbox.root, layers });
    return new App(reference, sandbox);
  }

  /** Another image of the same store. */
  as(reference: string): App {
    return new App(reference, this.#sandbox);
  }

  /** Environment of a bunker that has the image. */
  get environment(): Record<string, string | undefined> {
    const { root, state } = this.#sandbox;
    return { PATH: process.env["PATH"], HOME: "/", BUNKER_ROOT: root, BUNKER_STATE: state };
  }

  /** The words after `bunker` for a run. */
  words(flags: readonly string[], command: readonly string[]): string[] {
    return ["run", "--pull=never", ...flags, this.reference, ...command];
  }

  /** `bunker run FLAGS app COMMAND…`, from the sources. */
  run(flags: readonly string[], command: readonly string[], options: RunWith = {}): Promise<PipedResult> {
    return this.#sandbox.bunker(this.words(flags, command), { program: PROGRAM, ...options });
  }

  /** The same without waiting, with pipes, behind a prefix; dispose of it or wait for its end. */
  start(flags: readonly string[], command: readonly string[], prefix: readonly string[] = []): Running {
    const child = Bun.spawn([...prefix, ...programs[PROGRAM], ...this.words(flags, command)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: this.environment,
    });
    return new Running(child);
  }

  /** Runs a script of the shell and returns its output. @throws {Error} when it does not end with 0. */
  async sh(script: string, flags: readonly string[] = [], options: RunWith = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(flags, ["/bin/sh", "-c", script], options);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stdout}${stderr}`);
    return stdout;
  }
}
