/** `-t` in a real terminal, driven through tmux: what a person sees and types. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { programs } from "../helpers/bunker.ts";
import type { Need } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./run/app.ts";

const NEEDS: readonly Need[] = [...RUN_NEEDS, "program tmux"];
const SOCKET = `bunker-test-${process.pid}`;
const LOOK_MS = 25;
const WAIT_MS_MAX = 4000;
/** The shell's own prompt, which shows that the terminal is the user's again. */
const PROMPT = "host$ ";

beforeAll(() => void tmux(["kill-server"]));
afterAll(() => void tmux(["kill-server"]));

describe("bunker run -it", () => {
  kernelTest("gives the command a terminal of its own, of the caller's size", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);

    screen.run(["-it"], "tty; stty size; ls -l /dev/console | cut -c1");

    await screen.shows("/dev/pts/0\n24 80\nc\n");
  });

  kernelTest("passes on every key as it is, Ctrl-C as a byte", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "stty raw -echo; echo ready; head -c 4 | od -An -tx1; stty sane");
    await screen.shows("ready");

    screen.keys("C-c", "C-z", "C-d", "a");

    await screen.shows("03 1a 04 61");
  });

  kernelTest("interrupts the command by Ctrl-C, and bunker goes on", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "trap 'echo interrupted' INT; echo ready; sleep 100; echo after");
    await screen.shows("ready");

    screen.keys("C-c");

    await screen.shows("interrupted\nafter");
  });

  kernelTest("echoes what is typed once", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "echo ready; read line; echo got $line");
    await screen.shows("ready");

    screen.keys("hello", "Enter");

    await screen.shows("ready\nhello\ngot hello\n");
  });

  kernelTest("follows the size of the window", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
    await screen.shows("ready");

    screen.tmux(["resize-window", "-x", "100", "-y", "30"]);

    await screen.shows("30 100");
  });

  kernelTest("has job control: Ctrl-Z stops a job, fg brings it back", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it", "-e", "PS1=box# "], undefined);
    await screen.shows("box#");

    screen.keys("sleep 100", "Enter");
    await Bun.sleep(200);
    screen.keys("C-z");
    await screen.shows("Stopped");
    screen.keys("fg", "Enter");
    await screen.shows("fg\nsleep 100");
    screen.keys("C-c");
    screen.keys("echo alive; exit 7", "Enter");

    await screen.shows("alive\n");
    await screen.prompts();
    screen.keys("echo code $?", "Enter");
    await screen.shows("code 7");
  });

  kernelTest("ends with its terminal, a shell that is PID 1 too", NEEDS, async (sandbox) => {
    const screen = await Screen.open(sandbox);
    screen.run(["-it"], "echo ready; exec sh");
    await screen.shows("ready");

    screen.tmux(["kill-session"]);

    // The sandbox fails the test when a process or a control group is left behind.
    expect(await sandbox.leftBehind(WAIT_MS_MAX)).toEqual([]);
  });

  kernelTest("has job control under --init too", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it", "--init", "-e", "PS1=box# "], undefined);
    await screen.shows("box#");

    screen.keys("sleep 100", "Enter");
    await Bun.sleep(200);
    screen.keys("C-z");

    await screen.shows("Stopped");
    expect(await screen.text()).not.toContain("job control turned off");
    screen.keys("exit", "Enter");
  });

  for (const [how, end] of [
    ["its end", undefined],
    ["SIGTERM of the command", "TERM"],
    ["kill -9 of bunker", "KILL"],
  ] as const) {
    kernelTest(`leaves the terminal as it was after ${how}`, NEEDS, async (sandbox) => {
      await using screen = await Screen.open(sandbox);
      const before = await screen.settings();
      screen.run(
        ["-it"],
        "trap 'exit 3' TERM; echo ready; while read line; do [ $line = quit ] && exit; done",
      );
      await screen.shows("ready");

      if (end === undefined) screen.keys("quit", "Enter");
      else screen.signal(end);
      await screen.prompts();

      expect(await screen.settings()).toBe(before);
      // What SIGKILL leaves is the next run's to remove.
      screen.run([], "echo removed");
      await screen.shows("removed\n");
      await screen.prompts();
    });
  }
});

describe("bunker run -t", () => {
  kernelTest("without -i reads nothing of what is typed", NEEDS, async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-t"], "tty; echo ready; timeout 1 cat; echo after");
    await screen.shows("ready");

    screen.keys("typed", "Enter");

    await screen.shows("after");
    expect(await screen.text()).toContain("/dev/pts/0");
  });

  kernelTest("without a terminal of the caller's still has one", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout, exitCode } = await app.run(["-t"], ["/bin/sh", "-c", "tty; exit 3"]);

    expect({ stdout, exitCode }).toEqual({ stdout: "/dev/pts/0\r\n", exitCode: 3 });
  });

  kernelTest("with -i and without a terminal is refused", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["-it"], ["/bin/true"]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain("not a TTY");
  });

  kernelTest("loses nothing of a long output", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await app.run(
      ["-t"],
      ["/bin/sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done"],
    );

    const lines = stdout.split("\r\n");
    expect(lines).toHaveLength(5001);
    expect(lines.at(-2)).toBe("line 4999");
  });
});

/** A shell in a window of tmux, 80 by 24, in which bunker is run. */
class Screen implements AsyncDisposable {
  readonly #app: App;
  readonly #sandbox: Sandbox;
  readonly #session = `s${Math.random().toString(36).slice(2)}`;

  private constructor(app: App, sandbox: Sandbox) {
    this.#app = app;
    this.#sandbox = sandbox;
  }

  static async open(sandbox: Sandbox): Promise<Screen> {
    const screen = new Screen(await App.install(sandbox), sandbox);
    const { root, state } = sandbox;
    const env = [
      `PATH=${process.env["PATH"]}`,
      "HOME=/",
      `PS1=${PROMPT}`,
      `BUNKER_ROOT=${root}`,
      `BUNKER_STATE=${state}`,
    ];
    const shell = ["env", "-i", "TERM=screen", ...env, "bash", "--norc", "--noprofile"];
    screen.tmux(["new-session", "-d", "-x", "80", "-y", "24", "-s", screen.#session, ...shell]);
    screen.tmux(["set-option", "window-size", "manual"]);
    await screen.prompts();
    return screen;
  }

  /** Runs a script, or the image's shell, in the image. */
  run(flags: readonly string[], script: string | undefined): void {
    const command = script === undefined ? [] : ["/bin/sh", "-c", script];
    const words = [...programs["bun run src/main.ts"], ...this.#app.words(flags, command)];
    const file = `${this.#sandbox.directory}/command`;
    writeFileSync(
      file,
      `clear\nexec ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")}\n`,
    );
    this.keys(`sh ${file}`, "Enter");
  }

  keys(...names: readonly string[]): void {
    this.tmux(["send-keys", ...names]);
  }

  /** Sends a signal to bunker; nothing when it has ended. */
  signal(name: string): void {
    const pattern = `main.ts run --pull=never.*${this.#app.reference}`;
    const [pid = ""] = Bun.spawnSync(["pgrep", "-f", pattern]).stdout.toString().split("\n");
    if (pid !== "") process.kill(Number(pid), `SIG${name}`);
  }

  /** What is on the screen, without blanks at the ends of lines. */
  async text(): Promise<string> {
    return this.tmux(["capture-pane", "-p"]).replace(/ +$/gm, "");
  }

  /** Waits until the screen has `text`. */
  async shows(text: string): Promise<void> {
    await this.#until((screen) => screen.includes(text), JSON.stringify(text));
  }

  /** Waits until the shell asks for a command. */
  async prompts(): Promise<void> {
    await this.#until((screen) => screen.trimEnd().endsWith(PROMPT.trimEnd()), "prompt");
  }

  /** What stty says of the terminal. */
  async settings(): Promise<string> {
    this.keys("clear; stty -a; echo do''ne", "Enter");
    await this.shows("done\n");
    const text = await this.text();
    return text.slice(text.indexOf("speed"), text.indexOf("done\n"));
  }

  tmux(words: readonly string[]): string {
    const [command, ...rest] = words;
    const target = command === "new-session" ? [] : ["-t", this.#session];
    return tmux([command as string, ...target, ...rest]);
  }

  async #until(holds: (screen: string) => boolean, what: string): Promise<void> {
    const end = Date.now() + WAIT_MS_MAX;
    for (;;) {
      const screen = await this.text();
      if (holds(screen)) return;
      if (Date.now() > end) throw new Error(`no ${what} on the screen:\n${screen.trim()}`);
      await Bun.sleep(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await this.text()).trimEnd().endsWith(PROMPT.trimEnd())) {
      // A shell that is process 1 does not die of SIGHUP: three interrupts end any container.
      for (const _ of [1, 2, 3]) {
        this.signal("INT");
        await Bun.sleep(LOOK_MS);
      }
      await this.prompts();
    }
    this.tmux(["kill-session"]);
    rmSync(`${this.#sandbox.directory}/command`, { force: true });
  }
}

function tmux(words: readonly string[]): string {
  return Bun.spawnSync(["tmux", "-f", "/dev/null", "-L", SOCKET, ...words], {
    stderr: "ignore",
  }).stdout.toString();
}
