/** `-t` in a real terminal, driven through tmux: what a person sees and types. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { programs } from "../helpers/bunker.ts";
import type { Need } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./run/app.ts";

const NEEDS: readonly Need[] = [...RUN_NEEDS, "program tmux"];
const SOCKET = `bunker-test-${process.pid}`;
const LOOK_MS = 25;
const WAIT_MS_MAX = 30_000;
/** What a job runs: its own number of seconds, by which it is found among all processes. */
const SLEEP = `sleep ${1_000_000 + process.pid}`;
/** More than the sum of what a test waits for, unless all of it fails. */
const TEST_MS_MAX = 120_000;
/** The shell's own prompt, which shows that the terminal is the user's again. */
const PROMPT = "host$ ";

const terminalTest = (name: string, body: (sandbox: Sandbox) => Promise<void>): void =>
  kernelTest(name, NEEDS, body, TEST_MS_MAX);

beforeAll(() => void tmux(["kill-server"]));
afterAll(() => void tmux(["kill-server"]));

describe("bunker run -it", () => {
  terminalTest("gives the command a terminal of its own, of the caller's size", async (sandbox) => {
    await using screen = await Screen.open(sandbox);

    screen.run(["-it"], "tty; stty size; ls -l /dev/console | cut -c1");

    await screen.shows("/dev/pts/0\n24 80\nc\n");
  });

  terminalTest("passes on every key as it is, Ctrl-C as a byte", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "stty raw -echo; echo ready; head -c 4 | od -An -tx1; stty sane");
    await screen.shows("ready");

    screen.keys("C-c", "C-z", "C-d", "a");

    await screen.shows("03 1a 04 61");
  });

  terminalTest("interrupts the command by Ctrl-C, and bunker goes on", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], `trap 'echo interrupted' INT; ${SLEEP}; echo after`);
    await inForeground(SLEEP);

    screen.keys("C-c");

    await screen.shows("interrupted\nafter");
  });

  terminalTest("echoes what is typed once", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "echo ready; read line; echo got $line");
    await screen.shows("ready");

    screen.keys("hello", "Enter");

    await screen.shows("ready\nhello\ngot hello\n");
  });

  kernelTest(
    "shows nothing before the terminal is the command's own, however long that takes",
    [...NEEDS, "program strace"],
    async (sandbox) => {
      await using screen = await Screen.open(sandbox);
      const slow = ["-qq", "-o", "/dev/null", "-e", "trace=ioctl", "-e", "inject=ioctl:delay_enter=300000"];
      screen.run(["-it"], "echo ready; read line; echo got $line", ["strace", ...slow]);
      await screen.shows("ready");

      screen.keys("hello", "Enter");

      await screen.shows("ready\nhello\ngot hello\n");
      // Ended with its terminal before, strace may leave behind what it holds.
      await screen.prompts();
    },
    TEST_MS_MAX,
  );

  terminalTest("follows the size of the window", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it"], "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
    await screen.shows("ready");

    screen.tmux(["resize-window", "-x", "100", "-y", "30"]);

    await screen.shows("30 100");
  });

  terminalTest("has job control: Ctrl-Z stops a job, fg brings it back", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it", "-e", "PS1=box# "], undefined);
    await screen.shows("box#");

    screen.keys(SLEEP, "Enter");
    await inForeground(SLEEP);
    screen.keys("C-z");
    await screen.shows("Stopped");
    screen.keys("fg", "Enter");
    await screen.shows(`fg\n${SLEEP}`);
    await inForeground(SLEEP);
    screen.keys("C-c");
    await screen.prompts("box#");
    screen.keys("echo alive; exit 7", "Enter");

    await screen.shows("alive\n");
    await screen.prompts();
    screen.keys("echo code $?", "Enter");
    await screen.shows("code 7");
  });

  terminalTest("ends with its terminal, a shell that is PID 1 too", async (sandbox) => {
    const screen = await Screen.open(sandbox);
    screen.run(["-it"], "echo ready; exec sh");
    await screen.shows("ready");

    screen.tmux(["kill-session"]);

    // The sandbox fails the test when a process or a control group is left behind.
    expect(await sandbox.leftBehind(WAIT_MS_MAX)).toEqual([]);
  });

  terminalTest("has job control under --init too", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-it", "--init", "-e", "PS1=box# "], undefined);
    await screen.shows("box#");

    screen.keys(SLEEP, "Enter");
    await inForeground(SLEEP);
    screen.keys("C-z");

    await screen.shows("Stopped");
    expect(screen.text()).not.toContain("job control turned off");
    screen.keys("exit", "Enter");
  });

  for (const [how, end] of [
    ["its end", undefined],
    ["SIGTERM of the command", "TERM"],
    ["kill -9 of bunker", "KILL"],
  ] as const) {
    terminalTest(`leaves the terminal as it was after ${how}`, async (sandbox) => {
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
  terminalTest("without -i reads nothing of what is typed", async (sandbox) => {
    await using screen = await Screen.open(sandbox);
    screen.run(["-t"], "tty; echo ready; timeout 1 cat; echo after");
    await screen.shows("ready");

    screen.keys("typed", "Enter");

    await screen.shows("after");
    expect(screen.text()).toContain("/dev/pts/0");
  });

  terminalTest("without a terminal of the caller's still has one", async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout, exitCode } = await app.run(["-t"], ["/bin/sh", "-c", "tty; exit 3"]);

    expect({ stdout, exitCode }).toEqual({ stdout: "/dev/pts/0\r\n", exitCode: 3 });
  });

  terminalTest("with -i and without a terminal is refused", async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["-it"], ["/bin/true"]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain("not a TTY");
  });

  terminalTest("loses nothing of a long output", async (sandbox) => {
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

  /** Runs a script, or the image's shell, in the image; bunker is run by `wrapper`. */
  run(flags: readonly string[], script: string | undefined, wrapper: readonly string[] = []): void {
    const command = script === undefined ? [] : ["/bin/sh", "-c", script];
    const words = [...wrapper, ...programs["bun run src/main.ts"], ...this.#app.words(flags, command)];
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
  text(): string {
    return this.tmux(["capture-pane", "-p"]).replace(/ +$/gm, "");
  }

  /** Waits until the screen has `text`. */
  async shows(text: string): Promise<void> {
    await until(
      JSON.stringify(text),
      () => this.text().includes(text),
      () => this.text(),
    );
  }

  /** Waits until a shell asks for a command, the user's unless its prompt is given. */
  async prompts(prompt = PROMPT.trimEnd()): Promise<void> {
    await until(
      prompt,
      () => this.text().trimEnd().endsWith(prompt),
      () => this.text(),
    );
  }

  /** What stty says of the terminal. */
  async settings(): Promise<string> {
    this.keys("clear; stty -a; echo do''ne", "Enter");
    await this.shows("done\n");
    const text = this.text();
    return text.slice(text.indexOf("speed"), text.indexOf("done\n"));
  }

  tmux(words: readonly string[]): string {
    const [command, ...rest] = words;
    const target = command === "new-session" ? [] : ["-t", this.#session];
    return tmux([command as string, ...target, ...rest]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A shell that is process 1 does not die of SIGHUP: three interrupts end any container, those that come at once are one.
    const ends = (): boolean => {
      const ended = this.text().trimEnd().endsWith(PROMPT.trimEnd());
      if (!ended) this.signal("INT");
      return ended;
    };
    await until("the user's prompt", ends, () => this.text());
    this.tmux(["kill-session"]);
    rmSync(`${this.#sandbox.directory}/command`, { force: true });
  }
}

/** Waits until `holds`. @throws {Error} with the screen when it does not come to hold */
async function until(what: string, holds: () => boolean, screen = (): string => ""): Promise<void> {
  for (const end = Date.now() + WAIT_MS_MAX; !holds(); await Bun.sleep(LOOK_MS)) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}:\n${screen().trim()}`);
  }
}

/** Waits until a command has the terminal to itself: what is typed is the shell's until then. */
function inForeground(command: string): Promise<void> {
  return until(command, () => findPids(command).some(hasTerminal));
}

function findPids(command: string): readonly number[] {
  const pids = Bun.spawnSync(["pgrep", "-f", "-x", command]).stdout.toString();
  return pids.split("\n").filter(Boolean).map(Number);
}

/** Whether the process goes on, in the group that its terminal sends keys to: state, pgrp and tpgid of proc_pid_stat(5). */
function hasTerminal(pid: number): boolean {
  try {
    const [state, , group, , , foreground] =
      readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return state === "S" && group === foreground;
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

function tmux(words: readonly string[]): string {
  return Bun.spawnSync(["tmux", "-f", "/dev/null", "-L", SOCKET, ...words], {
    stderr: "ignore",
  }).stdout.toString();
}
