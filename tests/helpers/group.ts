/**
 * A control group for a test, on whichever version the machine has, and processes in it. It is removed with everything in
 * it at the end of the test.
 *
 *     await using group = await TestGroup.make({ pids: { limit: 5 } });
 *     const shell = group.spawn("sleep 60 & wait");
 */
import { readFileSync } from "node:fs";
import { SIGKILL } from "../../src/linux/abi/sched.ts";
import type { Resources } from "../../src/oci/bundle/config.ts";
import { makeCgroup } from "../../src/runtime/cgroup/make.ts";
import { type CgroupPlace, locateCgroup } from "../../src/runtime/cgroup/place.ts";
import { killCgroup } from "../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../src/runtime/cgroup/remove.ts";
import { type Need, whyMissing } from "./requires.ts";

/** Version of the machine's control groups. */
export const groupVersion = whyMissing(["cgroup v1"]) === undefined ? 1 : 2;

/** For tests that hold on both. */
export const GROUP_NEEDS: readonly Need[] = ["root", groupVersion === 1 ? "cgroup v1" : "cgroup v2"];

let counter = 0;

/** A place that no other test has. */
export function testPlace(cgroupsPath?: string): CgroupPlace {
  counter += 1;
  return locateCgroup({
    id: `test-${process.pid}-${counter}`,
    cgroupsPath,
    manager: "cgroupfs",
    rootless: false,
    ownNamespace: true,
  });
}

/** How long something that the kernel does soon may take. */
const WAIT_MS_MAX = 30_000;

/** Waits until `look` is true. @throws {Error} when it does not become so. */
export async function until(what: string, look: () => boolean): Promise<void> {
  const end = Date.now() + WAIT_MS_MAX;
  while (!look()) {
    if (Date.now() > end) throw new Error(`Waited in vain until ${what}`);
    await Bun.sleep(5);
  }
}

/** The group. */
export class TestGroup implements AsyncDisposable {
  readonly place: CgroupPlace;
  readonly #processes: Bun.Subprocess[] = [];

  constructor(place: CgroupPlace) {
    this.place = place;
  }

  /** Makes it. */
  static async make(resources: Resources = {}, cgroupsPath?: string): Promise<TestGroup> {
    using made = await makeCgroup(testPlace(cgroupsPath), resources, { rootless: false });
    return new TestGroup(made.place);
  }

  /** Its directory of a controller of version 1; the one that there is on version 2. */
  directory(controller: string): string {
    const directory = this.place.directories[groupVersion === 2 ? "" : controller];
    if (directory === undefined) throw new Error(`There is no hierarchy of ${controller}`);
    return directory;
  }

  /** Content of a control file, by version: `v1` is `CONTROLLER/FILE`. */
  read(files: { readonly v1: string; readonly v2: string }): string {
    const [controller = "", file = ""] = files.v1.split("/");
    const path = `${this.directory(controller)}/${groupVersion === 2 ? files.v2 : file}`;
    return readFileSync(path, "utf8").trimEnd();
  }

  /** Runs a shell script in the group. */
  spawn(script: string): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    const file = groupVersion === 2 ? "cgroup.procs" : "tasks";
    const files = [...new Set(Object.values(this.place.directories))].map((path) => `${path}/${file}`);
    const join = files.map((path) => `echo 0 > '${path}'`).join("; ");
    const spawned = Bun.spawn(["/bin/sh", "-c", `${join}; ${script}`], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#processes.push(spawned);
    return spawned;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    killCgroup(this.place, SIGKILL);
    await Promise.all(this.#processes.map(({ exited }) => exited));
    await removeCgroup(this.place);
  }
}
