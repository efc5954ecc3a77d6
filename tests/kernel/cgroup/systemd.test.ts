/** Control groups that systemd makes: scopes and slices, their limits, their end. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { SIGKILL } from "../../../src/linux/abi/sched.ts";
import type { Resources } from "../../../src/oci/bundle/config.ts";
import { makeCgroup } from "../../../src/runtime/cgroup/make.ts";
import { type CgroupPlace, locateCgroup } from "../../../src/runtime/cgroup/place.ts";
import { killCgroup, processesIn } from "../../../src/runtime/cgroup/processes.ts";
import { removeCgroup } from "../../../src/runtime/cgroup/remove.ts";
import { applyResources } from "../../../src/runtime/cgroup/update.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "cgroup v2", "systemd"];
const MB = 1 << 20;

let counter = 0;

/** A process in a unit, until the end of the test. */
class UnitProcess implements AsyncDisposable {
  readonly process = Bun.spawn(["sleep", "300"], { stdin: "ignore" });
  place: CgroupPlace | undefined;

  static async start(
    resources: Resources,
    { cgroupsPath, annotations }: { cgroupsPath?: string; annotations?: Record<string, string> } = {},
  ): Promise<UnitProcess & { readonly place: CgroupPlace }> {
    const started = new UnitProcess();
    try {
      const place = unitPlace(cgroupsPath);
      const made = await makeCgroup(place, resources, { rootless: false, annotations });
      started.place = await made.admit?.(started.process.pid);
      return started as UnitProcess & { readonly place: CgroupPlace };
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
  }

  read(file: string): string {
    return readFileSync(`${this.place?.directories[""]}/${file}`, "utf8").trim();
  }

  property(name: string): string {
    return show(this.place?.unit?.name ?? "", name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill(SIGKILL);
    await this.process.exited;
    if (this.place !== undefined) await removeCgroup(this.place);
  }
}

function unitPlace(cgroupsPath?: string): CgroupPlace {
  counter += 1;
  const id = `test-${process.pid}-${counter}`;
  return locateCgroup({ id, cgroupsPath, manager: "systemd", rootless: false, ownNamespace: true });
}

function show(unit: string, property: string): string {
  const { stdout } = Bun.spawnSync(["systemctl", "show", "--value", "--property", property, unit]);
  return stdout.toString().trim();
}

describe("makeCgroup() with systemd", () => {
  kernelTest("puts the process into a scope of its own in the slice", NEEDS, async () => {
    await using unit = await UnitProcess.start({}, { cgroupsPath: "bunkertest.slice:box:one" });

    expect(unit.place.directories[""]).toEndWith("/bunkertest.slice/box-one.scope");
    expect(processesIn(unit.place)).toEqual([unit.process.pid]);
    expect(unit.property("ActiveState")).toBe("active");
    expect(unit.property("Slice")).toBe("bunkertest.slice");
    expect(unit.property("Delegate")).toBe("yes");
  });

  kernelTest("sets the limits, and tells systemd of them", NEEDS, async () => {
    await using unit = await UnitProcess.start({
      memory: { limit: 64 * MB, swap: 64 * MB },
      cpu: { quota: 50_000, period: 100_000, shares: 2048 },
      pids: { limit: 12 },
    });

    expect([unit.read("memory.max"), unit.read("memory.swap.max")]).toEqual([String(64 * MB), "0"]);
    expect([unit.read("cpu.max"), unit.read("pids.max")]).toEqual(["50000 100000", "12"]);
    expect([unit.property("MemoryMax"), unit.property("TasksMax")]).toEqual([String(64 * MB), "12"]);
    expect(unit.property("CPUQuotaPerSecUSec")).toBe("500ms");
  });

  kernelTest("keeps limits when systemd reads its units again", NEEDS, async () => {
    await using unit = await UnitProcess.start({ memory: { limit: 64 * MB }, pids: { limit: 12 } });

    Bun.spawnSync(["systemctl", "daemon-reload"]);

    expect([unit.read("memory.max"), unit.read("pids.max")]).toEqual([String(64 * MB), "12"]);
  });

  kernelTest("sets properties that annotations ask for", NEEDS, async () => {
    const annotations = {
      "org.systemd.property.Description": "'a box'",
      "org.systemd.property.TimeoutStopSec": "7",
    };

    await using unit = await UnitProcess.start({}, { annotations });

    expect(unit.property("Description")).toBe("a box");
    expect(unit.property("TimeoutStopUSec")).toBe("7s");
  });

  kernelTest("refuses a scope that is in use, and leaves it alone", NEEDS, async () => {
    await using unit = await UnitProcess.start({}, { cgroupsPath: "bunkertest.slice:box:two" });

    const again = UnitProcess.start({}, { cgroupsPath: "bunkertest.slice:box:two" });

    await expect(again).rejects.toThrow("it is not empty");
    expect(processesIn(unit.place)).toEqual([unit.process.pid]);
  });

  kernelTest("names what systemd refuses", NEEDS, async () => {
    const started = UnitProcess.start({}, { annotations: { "org.systemd.property.NoSuchThing": "true" } });

    await expect(started).rejects.toThrow("NoSuchThing");
  });
});

describe("applyResources() with systemd", () => {
  kernelTest("changes the group and the unit", NEEDS, async () => {
    await using unit = await UnitProcess.start({ memory: { limit: 64 * MB } });

    await applyResources(unit.place, { memory: { limit: 32 * MB }, pids: { limit: 9 } }, { rootless: false });

    expect([unit.read("memory.max"), unit.read("pids.max")]).toEqual([String(32 * MB), "9"]);
    expect(unit.property("MemoryMax")).toBe(String(32 * MB));
  });
});

describe("removeCgroup() with systemd", () => {
  kernelTest("leaves neither unit nor directory", NEEDS, async () => {
    const unit = await UnitProcess.start({});
    const { place, process } = unit;

    killCgroup(place, SIGKILL);
    await process.exited;
    await removeCgroup(place);

    expect(existsSync(place.directories[""] as string)).toBe(false);
    expect(show(place.unit?.name ?? "", "LoadState")).toBe("not-found");
  });

  kernelTest("finds nothing to do when no unit was made", NEEDS, async () => {
    await removeCgroup(unitPlace());
  });
});
