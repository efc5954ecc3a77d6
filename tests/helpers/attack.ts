/**
 * A test of `bunker oci` against a hostile root or a process that races with it. Beside the bundles lies a tree of the host's
 * that no container may touch; when the test ends, that tree, the host's mounts, and the executable are what they were.
 *
 *     attackTest("never follows a link out of the root", async ({ runtime, outside, linkTo }) => {
 *       symlinkSync(linkTo(outside), `${bundle.root}/dev`);
 *     });
 */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type Bundle, Runtime } from "./oci_runtime.ts";
import { executable, type Need } from "./requires.ts";
import type { Json } from "./runtime_bundle.ts";
import { kernelTest, type Sandbox } from "./sandbox.ts";
import { snapshotTree } from "./tree_snapshot.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox"];
const TEST_MS_MAX = 120_000;

/** What a test of an attack works with. */
export interface Attack {
  readonly runtime: Runtime;
  readonly sandbox: Sandbox;
  /** The host's tree that has to stay as it is. */
  readonly outside: string;
  /** The target of a symbolic link that leads to a path of the host from any directory of a root. */
  readonly linkTo: (path: string) => string;
}

/** Runs the test, and looks afterwards whether the host is what it was. */
export function attackTest(
  name: string,
  body: (attack: Attack) => Promise<void>,
  needs: readonly Need[] = [],
): void {
  const run = async (sandbox: Sandbox): Promise<void> => {
    const outside = makeOutside(`${sandbox.directory}/outside`);
    const [tree, mounts, digest] = [snapshot(outside), readMounts(), digestOfExecutable()];
    {
      await using runtime = new Runtime("bunker", sandbox);
      await body({ runtime, sandbox, outside, linkTo });
    }
    expect(snapshot(outside)).toEqual(tree);
    expect(readMounts()).toBe(mounts);
    expect(digestOfExecutable()).toBe(digest);
  };
  kernelTest(name, [...NEEDS, ...needs], run, TEST_MS_MAX);
}

/** Upwards far beyond the root, then down: the host's path where links are followed without a root, else nothing. */
const linkTo = (path: string): string => `${"../".repeat(24)}${path.slice(1)}`;

/** A tree with all that an engine makes or writes to in a root. */
function makeOutside(path: string): string {
  for (const name of ["pts", "shm", "x", "self/attr", "sys/kernel", "dev"]) {
    mkdirSync(`${path}/${name}`, { recursive: true });
  }
  for (const name of [
    "marker",
    "ptmx",
    "console",
    "null",
    "core_pattern",
    "sys/kernel/core_pattern",
    "self/attr/exec",
  ]) {
    writeFileSync(`${path}/${name}`, "marker\n");
  }
  return path;
}

const snapshot = (path: string) => snapshotTree(path);

const readMounts = (): string => readFileSync("/proc/self/mountinfo", "utf8");

const digestOfExecutable = (): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(executable)).digest("hex");

/** Puts a link in the place of whatever is at `name` in the root of a bundle. */
export function plantLink({ root }: Bundle, name: string, target: string): void {
  rmSync(`${root}/${name}`, { recursive: true, force: true });
  symlinkSync(target, `${root}/${name}`);
}

/** Starts a process that exchanges two names of a directory until it is disposed of. */
export async function flip(directory: string, name: string, other: string) {
  const script = new URL("flip.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, directory, name, other], {
    stdin: "pipe",
    stdout: "pipe",
  });
  await child.stdout[Symbol.asyncIterator]().next();
  return {
    /** Null while it is at it. */
    get exitCode() {
      return child.exitCode;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** A bind mount of config.json. */
export const bind = (source: string, destination: string, ...options: readonly string[]): Json => ({
  source,
  destination,
  type: "bind",
  options: ["rbind", ...options],
});
