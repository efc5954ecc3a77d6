/** A network namespace of the test's own, held open by a process in it, with the commands that run there. */
import { runPiped } from "./pipes.ts";

/** Everything in it goes when it is disposed of. */
export class NetworkNamespace implements AsyncDisposable {
  readonly #holder: ReturnType<typeof Bun.spawn>;

  private constructor(holder: ReturnType<typeof Bun.spawn>) {
    this.#holder = holder;
  }

  static async make(): Promise<NetworkNamespace> {
    const holder = Bun.spawn(["unshare", "--net", "sh", "-c", "echo ready; exec sleep 600"], {
      stdin: "ignore",
      stdout: "pipe",
    });
    await holder.stdout.getReader().read();
    return new NetworkNamespace(holder);
  }

  /** For config.json's `namespaces[].path`. */
  get path(): string {
    return `/proc/${this.#holder.pid}/ns/net`;
  }

  /** The words before a command that is to run in it. */
  get enter(): readonly string[] {
    return ["nsenter", `--net=${this.path}`];
  }

  /** Runs ip(8) in it. @throws {Error} when it fails */
  async ip(...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await runPiped([...this.enter, "ip", ...words]);
    if (exitCode !== 0) throw new Error(`ip ${words.join(" ")}: ${stderr}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}
