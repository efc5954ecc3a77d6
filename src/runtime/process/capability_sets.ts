/**
 * The five capability sets of config.json as masks, and what the kernel would make of them: capabilities(7).
 *
 * A capability that the host withholds is left out of every set, with a warning: less privilege than asked for is
 * safe, and what starts in one place starts in another. An ambient one that is not both permitted and inheritable is
 * left out without a word, as by runc and crun: buildah and `podman exec --user root` pass on such sets every time,
 * and a warning would be the first line of what the command says. The other combinations that the kernel refuses are
 * refused here, by name.
 */

import type { Capabilities } from "../../oci/bundle/config.ts";
import { show } from "../../oci/json.ts";
import { capabilityNames, findCapability } from "../security/capability.ts";
import { type Field, refuse } from "./refusal.ts";

/** One mask for each set, bit n for capability n. */
export interface CapabilitySets {
  readonly bounding: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly inheritable: bigint;
  readonly ambient: bigint;
}

/** Sets that can be had, and what is to be said about the others. */
export interface DecidedCapabilities {
  readonly sets: CapabilitySets;
  readonly warnings: readonly string[];
}

const field = (name: string): Field => ({
  path: `process.capabilities.${name}`,
  section: "config.md#linux-process",
});

/**
 * Decides the sets of a process; an absent section or set is empty.
 * @param hostBounding what the process can have at most.
 * @throws {ConfigError} for sets that contradict each other.
 */
export function decideCapabilities(asked: Capabilities = {}, hostBounding: bigint): DecidedCapabilities {
  const unknown = new Set<string>();
  const wanted = {
    bounding: maskOf(asked.bounding, unknown),
    permitted: maskOf(asked.permitted, unknown),
    effective: maskOf(asked.effective, unknown),
    inheritable: maskOf(asked.inheritable, unknown),
    ambient: maskOf(asked.ambient, unknown),
  };
  refuseSurplus(wanted, "effective", "permitted");
  refuseSurplus(wanted, "inheritable", "bounding");
  const withheld = (wanted.bounding | wanted.permitted | wanted.ambient) & ~hostBounding;
  const unraisable = wanted.ambient & ~(wanted.permitted & wanted.inheritable);
  const sets = {
    bounding: wanted.bounding & hostBounding,
    permitted: wanted.permitted & hostBounding,
    effective: wanted.effective & hostBounding,
    inheritable: wanted.inheritable & hostBounding,
    ambient: wanted.ambient & ~unraisable & hostBounding,
  };
  const warnings = [...unknown].map((name) => `${show(name)} left out: Linux does not know it`);
  if (withheld !== 0n) warnings.push(`${namesOf(withheld)} left out: the host withholds it`);
  return { sets, warnings };
}

function maskOf(names: readonly string[] = [], unknown: Set<string>): bigint {
  let mask = 0n;
  for (const name of names) {
    const number = name.startsWith("CAP_") ? findCapability(name) : undefined;
    if (number === undefined) unknown.add(name);
    else mask |= 1n << BigInt(number);
  }
  return mask;
}

function refuseSurplus(sets: CapabilitySets, set: keyof CapabilitySets, within: keyof CapabilitySets): void {
  const surplus = sets[set] & ~sets[within];
  if (surplus !== 0n) refuse(field(set), `${namesOf(surplus)} is not in the ${within} set`);
}

const namesOf = (mask: bigint): string => capabilityNames(mask).join(", ");
