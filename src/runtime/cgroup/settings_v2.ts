/** Resources as lines of the control files of version 2, in the order in which they are written. Pure. */
import type { BlockIo, CpuResources, Int64, MemoryResources, Resources } from "../../oci/bundle/config.ts";
import { CgroupError } from "./cgroup_error.ts";
import { CPU_PERIOD_US, orMax, rdmaSettings, type Setting, swappinessOf, unlessZero } from "./settings.ts";

/** Values that the group has, for what can be changed in part only. */
export interface CurrentV2 {
  /** `cpu.max`, e.g. `max 100000`. */
  readonly cpuMax?: string;
  /** `memory.max`, `memory.current` */
  readonly memoryMax?: string;
  readonly memoryCurrent?: number;
}

/** All but device rules (device_program.ts). @throws {CgroupError} for what only version 1 has */
export function settingsV2(resources: Resources, current: CurrentV2 = {}): Setting[] {
  refuseV1Only(resources);
  return [
    ...cpuSettings(resources.cpu ?? {}, current),
    ...memorySettings(resources.memory ?? {}, current),
    ...(resources.pids === undefined ? [] : [pidsSetting(resources.pids.limit)]),
    ...blockIoSettings(resources.blockIO ?? {}),
    ...hugepageSettings(resources.hugepageLimits ?? []),
    ...rdmaSettings(resources.rdma ?? {}),
    ...unifiedSettings(resources.unified ?? {}),
  ];
}

/** Members that ask for something that version 2 has not; a value that says "as usual" asks for nothing. */
function refuseV1Only({ memory, cpu, network, blockIO }: Resources): void {
  const asked: Readonly<Record<string, boolean>> = {
    "memory.kernel": memory?.kernel !== undefined && memory.kernel > 0,
    "memory.kernelTCP": memory?.kernelTCP !== undefined && memory.kernelTCP > 0,
    "memory.swappiness": memory !== undefined && swappinessOf(memory) !== undefined,
    "memory.disableOOMKiller": memory?.disableOOMKiller === true,
    "memory.useHierarchy": memory?.useHierarchy === false,
    "cpu.realtimeRuntime": Number(cpu?.realtimeRuntime ?? 0) !== 0,
    "cpu.realtimePeriod": Number(cpu?.realtimePeriod ?? 0) !== 0,
    "network.classID": Number(network?.classID ?? 0) !== 0,
    "network.priorities": (network?.priorities ?? []).length > 0,
    "blockIO.leafWeight": Number(blockIO?.leafWeight ?? 0) !== 0,
    "blockIO.weightDevice": (blockIO?.weightDevice ?? []).some(
      (device) => Number(device.leafWeight ?? 0) !== 0,
    ),
  };
  const field = Object.keys(asked).find((name) => asked[name]);
  if (field === undefined) return;
  throw new CgroupError(
    `Cannot set linux.resources.${field}: control groups of version 2 have no such limit`,
  );
}

const setting = (file: string, value: string, rest: Pick<Setting, "field"> & Partial<Setting>): Setting => ({
  controller: file.slice(0, file.indexOf(".")),
  file,
  value,
  ...rest,
});

/** config-linux.md#cpu */
function cpuSettings(asked: CpuResources, { cpuMax }: CurrentV2): Setting[] {
  const settings: Setting[] = [];
  const add = (file: string, value: Int64 | string | undefined, name: string): void => {
    if (value !== undefined && value !== "") {
      settings.push(
        setting(file, String(value), { field: `cpu.${name}`, depends: file.startsWith("cpu.max") }),
      );
    }
  };
  add("cpuset.mems", asked.mems, "mems");
  add("cpuset.cpus", asked.cpus, "cpus");
  if (asked.idle === 0) add("cpu.idle", 0, "idle");
  if (asked.shares !== undefined && asked.shares > 0)
    add("cpu.weight", weightOfShares(asked.shares), "shares");
  if (asked.idle !== undefined && asked.idle !== 0) add("cpu.idle", asked.idle, "idle");
  const quota = unlessZero(asked.quota);
  const period = unlessZero(asked.period);
  const [currentQuota = "max", currentPeriod = String(CPU_PERIOD_US)] = (cpuMax ?? "")
    .split(" ")
    .filter(Boolean);
  if (quota !== undefined) add("cpu.max", `${orMax(quota)} ${period ?? currentPeriod}`, "quota");
  else if (period !== undefined) add("cpu.max", `${currentQuota} ${period}`, "period");
  add("cpu.max.burst", asked.burst, "burst");
  return settings;
}

const SHARES_MIN = 2;
const SHARES_MAX = 262_144;
const WEIGHT_MAX = 10_000;

/**
 * Shares of version 1 (2 to 262144, 1024 by default) as a weight of version 2 (1 to 10000, 100 by default): a curve
 * through the three, so that the default stays the default; the same as runc's and crun's.
 */
export function weightOfShares(shares: number): number {
  if (shares <= SHARES_MIN) return 1;
  if (shares >= SHARES_MAX) return WEIGHT_MAX;
  const log = Math.log2(shares);
  const exponent = (log * log + 125 * log) / 612 - 7 / 34;
  // Powers of two would otherwise be rounded up by the last bit of a double.
  return Math.ceil(10 ** exponent - 1e-9);
}

/** config-linux.md#memory */
function memorySettings(asked: MemoryResources, current: CurrentV2): Setting[] {
  const limit = unlessZero(asked.limit);
  const reservation = unlessZero(asked.reservation);
  if (asked.checkBeforeUpdate === true) checkUsage(asked, current);
  const swap = swapOf(asked, current);
  return [
    ...(limit === undefined ? [] : [setting("memory.max", orMax(limit), { field: "memory.limit" })]),
    ...(swap === undefined
      ? []
      : [setting("memory.swap.max", swap, { field: "memory.swap", optional: swap === "max" })]),
    ...(reservation === undefined
      ? []
      : [setting("memory.low", orMax(reservation), { field: "memory.reservation" })]),
  ];
}

/** Memory and swap together less the memory: what version 2 counts as swap. */
function swapOf(asked: MemoryResources, { memoryMax }: CurrentV2): string | undefined {
  const limit = unlessZero(asked.limit);
  const swap = unlessZero(asked.swap);
  if (swap === undefined) return limit !== undefined && limit < 0 ? "max" : undefined;
  if (swap < 0) return "max";
  const memory = limit ?? (memoryMax === undefined || memoryMax === "max" ? -1 : BigInt(memoryMax));
  if (memory < 0)
    throw new CgroupError("Cannot set linux.resources.memory.swap: memory.limit has to be set with it");
  const rest = BigInt(swap) - BigInt(memory);
  if (rest < 0n)
    throw new CgroupError(
      `Cannot set linux.resources.memory.swap: ${swap} is less than memory.limit, ${memory}`,
    );
  return String(rest);
}

function checkUsage({ limit }: MemoryResources, { memoryCurrent }: CurrentV2): void {
  if (limit === undefined || limit <= 0 || memoryCurrent === undefined || limit >= memoryCurrent) return;
  throw new CgroupError(
    `Cannot set linux.resources.memory.limit: ${limit} is less than the ${memoryCurrent} bytes in use`,
  );
}

/** A process that is cloned into the group is counted before it runs, so that 0 would refuse the first: one is meant. */
const pidsSetting = (limit: Int64): Setting =>
  setting("pids.max", Number(limit) === 0 ? "1" : orMax(limit), { field: "pids.limit" });

/** config-linux.md#block-io; BFQ takes the weight as it is, io.weight another range. */
function blockIoSettings(asked: BlockIo): Setting[] {
  const weights = unlessZero(asked.weight) === undefined ? [] : [ioWeight("", asked.weight as number)];
  const devices = (asked.weightDevice ?? []).flatMap(({ major, minor, weight }) =>
    unlessZero(weight) === undefined ? [] : [ioWeight(`${major}:${minor} `, weight as number)],
  );
  const limits = THROTTLES.flatMap(([member, key]) =>
    (asked[member] ?? []).map(({ major, minor, rate }, index) => {
      const value = Number(rate) === 0 ? "max" : String(rate);
      return setting("io.max", `${major}:${minor} ${key}=${value}`, { field: `blockIO.${member}[${index}]` });
    }),
  );
  return [...weights, ...devices, ...limits];
}

function ioWeight(device: string, weight: number): Setting {
  return setting("io.bfq.weight", `${device}${weight}`, {
    field: device === "" ? "blockIO.weight" : "blockIO.weightDevice",
    otherwise: { file: "io.weight", value: `${device || "default "}${ioWeightOf(weight)}` },
  });
}

/** 10 to 1000 of version 1 as 1 to 10000, both ends kept. */
export const ioWeightOf = (weight: number): number => 1 + Math.floor(((weight - 10) * 9999) / 990);

const THROTTLES = [
  ["throttleReadBpsDevice", "rbps"],
  ["throttleWriteBpsDevice", "wbps"],
  ["throttleReadIOPSDevice", "riops"],
  ["throttleWriteIOPSDevice", "wiops"],
] as const;

/** config-linux.md#huge-page-limits; the limit counts for reservations too where the kernel has those (5.7). */
function hugepageSettings(limits: NonNullable<Resources["hugepageLimits"]>): Setting[] {
  return limits.flatMap(({ pageSize, limit }, index) => {
    const field = `hugepageLimits[${index}]`;
    return [
      setting(`hugetlb.${pageSize}.max`, orMax(limit), { field }),
      setting(`hugetlb.${pageSize}.rsvd.max`, orMax(limit), { field, optional: true }),
    ];
  });
}

/** config-linux.md#unified: files and their lines as they are, after everything else. */
function unifiedSettings(unified: Readonly<Record<string, string>>): Setting[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const field = `unified.${file}`;
    if (!/^[a-z0-9_]+\.[a-zA-Z0-9_.]+$/.test(file)) {
      throw new CgroupError(`Cannot set linux.resources.${field}: not the name of a control file`);
    }
    const lines = text.split("\n").filter((line) => line !== "");
    return (lines.length === 0 ? [""] : lines).map((value) => setting(file, value, { field }));
  });
}
