/**
 * Limits as properties of a unit: systemd.resource-control(5). The group's files are written as well, since systemd does not
 * know every limit; what it knows it has to be told, or it would set its own values again when it is reloaded. Pure.
 */
import type { Int64, Resources } from "../../../oci/bundle/config.ts";
import { listOf } from "../cpu_list.ts";
import { CPU_PERIOD_US, unlessZero } from "../settings.ts";
import { weightOfShares } from "../settings_v2.ts";
import type { Property } from "./manager.ts";

/** "infinity" */
const INFINITY = 2n ** 64n - 1n;

const number = (name: string, value: Int64 | undefined): Property[] =>
  value === undefined ? [] : [[name, { type: "t", value: value < 0 ? INFINITY : BigInt(value) }]];

/** The limits that systemd of either version of control groups knows. */
export function limitProperties(resources: Resources, version: 1 | 2): Property[] {
  const { memory = {}, cpu = {}, pids, blockIO } = resources;
  const shares = unlessZero(cpu.shares);
  const limit = unlessZero(memory.limit);
  return [
    ...number(version === 2 ? "MemoryMax" : "MemoryLimit", limit),
    ...(version === 2 ? swapProperties(resources) : []),
    ...(version === 2 ? number("MemoryLow", unlessZero(memory.reservation)) : []),
    ...(version === 2 ? number("CPUWeight", shares && weightOfShares(shares)) : number("CPUShares", shares)),
    ...quotaProperties(resources),
    // A unit takes no 0; the group's file does.
    ...number("TasksMax", pids === undefined ? undefined : unlessZero(pids.limit)),
    ...(version === 2 ? [...mask("AllowedCPUs", cpu.cpus), ...mask("AllowedMemoryNodes", cpu.mems)] : []),
    ...(version === 1 ? number("BlockIOWeight", unlessZero(blockIO?.weight)) : []),
  ];
}

function swapProperties({ memory = {} }: Resources): Property[] {
  const limit = unlessZero(memory.limit);
  const swap = unlessZero(memory.swap);
  if (swap === undefined) return [];
  if (swap < 0) return number("MemorySwapMax", -1);
  return limit === undefined || limit < 0 ? [] : number("MemorySwapMax", BigInt(swap) - BigInt(limit));
}

const MICROSECONDS = 1_000_000n;
/** systemd counts in hundredths of a processor: 10 ms of each second. */
const STEP_US = 10_000n;

function quotaProperties({ cpu = {} }: Resources): Property[] {
  const quota = unlessZero(cpu.quota);
  const period = unlessZero(cpu.period);
  const properties = number("CPUQuotaPeriodUSec", period);
  if (quota === undefined) return properties;
  if (quota < 0) return [...properties, ...number("CPUQuotaPerSecUSec", -1)];
  const perSecond = (BigInt(quota) * MICROSECONDS) / BigInt(period ?? CPU_PERIOD_US);
  const rounded = ((perSecond + STEP_US - 1n) / STEP_US) * STEP_US;
  return [...properties, ...number("CPUQuotaPerSecUSec", rounded)];
}

/** A list of numbers as bits, the lowest first. */
function mask(name: string, list: string | undefined): Property[] {
  const numbers = listOf(list);
  if (numbers.length === 0) return [];
  const bytes = new Uint8Array((Math.max(...numbers) >> 3) + 1);
  for (const each of numbers) bytes[each >> 3] = (bytes[each >> 3] as number) | (1 << (each & 7));
  return [[name, { type: "ay", value: bytes }]];
}
