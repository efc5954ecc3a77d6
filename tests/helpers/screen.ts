/** A terminal with a shell in it, as a person has one: tmux, on a socket of its own. */
import { readFileSync } from "node:fs";

export interface ScreenOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly columns: number;
  readonly rows: number;
}

/** How long a screen may take to show something, in milliseconds. */
const SHOW_MS_MAX = 30_000;
const LOOK_MS = 20;

/** A terminal of a fixed size. */
export class Screen implements AsyncDisposable {
  readonly #socket: string;
  readonly #server: number;

  /** Waits until the shell has shown its prompt. @param socket a path that does not exist yet */
  constructor(socket: string, { env, columns, rows }: ScreenOptions) {
    this.#socket = socket;
    const size = ["-x", String(columns), "-y", String(rows)];
    const values = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    this.#tmux(["-f", "/dev/null", "new-session", "-d", ...size, ...values, "/bin/sh"]);
    this.#server = Number(this.#tmux(["display-message", "-p", "#{pid}"]));
    // What is typed before the shell has shown its prompt is answered behind that, and not at the beginning of a line.
    const end = Date.now() + SHOW_MS_MAX;
    while (this.text().trim() === "" && Date.now() < end) Bun.sleepSync(LOOK_MS);
  }

  /** Types a line and presses Enter. */
  type(line: string): void {
    this.#tmux(["send-keys", "-l", line]);
    this.press("Enter");
  }

  /** Presses one key by tmux's name for it, e.g. `C-c`. */
  press(key: string): void {
    this.#tmux(["send-keys", key]);
  }

  /** Lines as they are shown, without the spaces at their ends. */
  text(): string {
    return this.#tmux(["capture-pane", "-p"]);
  }

  /** Waits until the screen shows something. @returns the screen at that moment @throws {Error} when it never does */
  async until(wanted: RegExp): Promise<string> {
    const end = Date.now() + SHOW_MS_MAX;
    for (;;) {
      const text = this.text();
      if (wanted.test(text)) return text;
      if (Date.now() > end) throw new Error(`the screen does not show ${wanted}:\n${text}`);
      // Looking again is the only way to know.
      await Bun.sleep(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tmux(["kill-server"]);
    // The server outlives the command that ends it by a moment.
    while (isAlive(this.#server)) await Bun.sleep(LOOK_MS);
  }

  #tmux(words: readonly string[]): string {
    const { exitCode, stdout, stderr } = Bun.spawnSync(["tmux", "-S", this.#socket, ...words], {
      env: { PATH: process.env["PATH"], TERM: "xterm", HOME: "/", LC_ALL: "C.UTF-8" },
      stderr: "pipe",
    });
    if (exitCode !== 0) throw new Error(`tmux ${words.join(" ")}: ${stderr.toString()}`);
    return stdout.toString();
  }
}

/** False for a zombie, too: this process adopts orphans, and looks after them when a test is over. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
