/** Resources as lines of control files, for both versions: pure. */
import type { Resources } from "../spec/config.ts";

/** One file of a control group and what is written to it. */
export type Setting = readonly [file: string, value: string];

/** Length of the period that processor time is counted in, microseconds (cpu.max, cpu.cfs_period_us). */
export const CPU_PERIOD_US = 100_000;

/** Version 2: files of the container's one directory. */
export function v2Settings({ memory, cpuQuota, pids }: Resources): Setting[] {
  const settings: Setting[] = [];
  if (pids !== undefined) settings.push(["pids.max", String(pids)]);
  if (memory !== undefined) settings.push(["memory.max", String(memory)], ["memory.swap.max", "0"]);
  if (cpuQuota !== undefined) settings.push(["cpu.max", `${cpuQuota} ${CPU_PERIOD_US}`]);
  return settings;
}

/** Version 1: a hierarchy for each controller, made only where there is something to set. */
export function v1Settings(
  { memory, cpuQuota, pids }: Resources,
  deviceRules: readonly string[],
): Map<string, Setting[]> {
  const settings = new Map<string, Setting[]>();
  if (pids !== undefined) settings.set("pids", [["pids.max", String(pids)]]);
  if (deviceRules.length > 0) {
    const allow = deviceRules.map((rule): Setting => ["devices.allow", rule]);
    settings.set("devices", [["devices.deny", "a"], ...allow]);
  }
  if (memory !== undefined) {
    // Memory and swap together may not exceed the memory, as with docker's default for --memory-swap off.
    settings.set("memory", [["memory.limit_in_bytes", String(memory)]]);
  }
  if (cpuQuota !== undefined) {
    settings.set("cpu", [
      ["cpu.cfs_period_us", String(CPU_PERIOD_US)],
      ["cpu.cfs_quota_us", String(cpuQuota)],
    ]);
  }
  return settings;
}
