/** A container of the test image that runs until it is told to end, and what the kernel shows in it. */

import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import type { App, Running } from "../kernel/run/app.ts";
import { programs } from "./bunker.ts";
import type { PipedResult } from "./pipes.ts";
import type { Sandbox } from "./sandbox.ts";
import { type NodeSnapshot, snapshotTree, type TreeSnapshot } from "./tree_snapshot.ts";

/** Tests run the sources: what is tested is what was edited. */
export const SOURCES = "bun run src/main.ts";

/** Runs bunker from its sources. */
export const bunkerFrom = (
  sandbox: Sandbox,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<PipedResult> => sandbox.bunker(args, { program: SOURCES, env, timeoutMs: 30_000 });

/** Starts bunker from its sources, behind a prefix, without waiting for it. */
export function spawnBunker(
  app: App,
  args: readonly string[],
  prefix: readonly string[] = [],
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  return Bun.spawn([...prefix, ...programs[SOURCES], ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: app.environment,
  });
}

/** A container called `box`. */
export class Box {
  readonly running: Running;
  /** Process id of its first process. */
  readonly pid: number;

  private constructor(running: Running) {
    this.running = running;
    this.pid = Number(
      readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, "utf8").trim().split(" ")[0],
    );
  }

  /** Starts it, and waits until its script has come to its end. */
  static async start(
    app: App,
    script: string,
    flags: readonly string[] = [],
    prefix: readonly string[] = [],
  ): Promise<Box> {
    const wait = `${script}\necho ready; while read line; do eval "$line"; done`;
    const running = app.start(["-i", "--name=box", ...flags], ["/bin/sh", "-c", wait], prefix);
    await running.output("ready");
    return new Box(running);
  }

  /** Its root, as the kernel shows it. */
  get root(): string {
    return `/proc/${this.pid}/root`;
  }

  /** Has its shell do something more. @returns what that wrote, after it has written `until` */
  async do(line: string, until: string): Promise<string> {
    this.running.type(`${line}; echo ${until}\n`);
    return await this.running.output(until);
  }

  /** The twelve digits of its id, by which its directory and its groups are called. */
  id(sandbox: Sandbox): string {
    const [id = ""] = readdirSync(`${sandbox.root}/c`);
    return id;
  }

  async end(): Promise<void> {
    this.running.type("exit 0\n");
    expect(await this.running.exited).toBe(0);
  }
}

/** What is mounted in every container, and the root's time, which layers do not have. */
const MOUNTED = /^(?:dev|proc|sys|etc\/(?:hosts|hostname|resolv\.conf))(?:\/|$)/;

/** A root without what is mounted in it, with times in whole seconds: as a layer can hold it. */
export function rootTree(root: string): TreeSnapshot {
  const lookAway = (path: string, { mtime }: NodeSnapshot): Partial<NodeSnapshot> => {
    return path === "." ? { mtime: "" } : { mtime: String(BigInt(mtime) / 1_000_000_000n) };
  };
  return snapshotTree(root, lookAway, (path) => MOUNTED.test(path));
}
