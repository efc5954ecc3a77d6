/** buildah with a store of its own: makes an image of a tree, without any base, and pushes it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";

/** How buildah writes what it pushes. */
export interface BuildahPush {
  readonly format: "oci" | "docker";
  readonly compression: "gzip" | "zstd";
}

/** A working container, whose root is to be filled, and then pushed. */
export class Buildah implements Disposable {
  readonly #directory: string;
  readonly #container: string;
  /** Absolute path of the root of the image to be. */
  readonly mount: string;

  /** @param directory a path that does not exist yet; removed with all in it when disposed of */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory);
    // The machine's own rules and registries stay out of it.
    writeFileSync(`${directory}/policy.json`, '{"default":[{"type":"insecureAcceptAnything"}]}');
    this.#container = this.#run(["from", "scratch"]);
    this.mount = this.#run(["mount", this.#container]);
  }

  /** Makes an image of what the root holds now, and pushes it to `HOST/NAME:TAG`. */
  push(target: string, { format, compression }: BuildahPush): void {
    const policy = ["--signature-policy", `${this.#directory}/policy.json`];
    this.#run(["config", "--env", "PATH=/bin", "--cmd", "/bin/sh", this.#container]);
    this.#run(["commit", "-q", ...policy, "--format", format, this.#container, "made"]);
    const how = ["--format", format, "--compression-format", compression];
    this.#run(["push", "-q", ...policy, "--tls-verify=false", ...how, "made", `docker://${target}`]);
  }

  [Symbol.dispose](): void {
    this.#run(["umount", "--all"]);
    rmSync(this.#directory, { recursive: true });
  }

  #run(words: readonly string[]): string {
    const places = ["--root", `${this.#directory}/root`, "--runroot", `${this.#directory}/run`];
    const { exitCode, stdout, stderr } = Bun.spawnSync(
      ["buildah", ...places, "--storage-driver", "vfs", ...words],
      // The lists of registries and of storage that the machine may have are not to be read.
      { env: { PATH: process.env["PATH"], HOME: this.#directory, TMPDIR: this.#directory }, stderr: "pipe" },
    );
    if (exitCode !== 0) throw new Error(`buildah ${words[0]} failed: ${stderr.toString()}`);
    return stdout.toString().trim();
  }
}
