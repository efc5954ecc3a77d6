/**
 * Capabilities by name: the default set, and what `--cap-add`, `--cap-drop` and `--privileged` make of it.
 * The numbers are the kernel's (capabilities(7), include/uapi/linux/capability.h). Pure: the caller reads the
 * host's bounding set (CapBnd of /proc/self/status) and applies the plan.
 */

import { UsageError } from "../../errors.ts";
import { CAPABILITY_NAMES } from "../../oci/bundle/names.ts";
import { closestName } from "./closest_name.ts";

/** Highest capability number that bunker knows: CAP_CHECKPOINT_RESTORE, Linux 5.9. */
export const CAP_LAST_CAP = CAPABILITY_NAMES.length - 1;

/** Every capability that bunker knows, as a mask. */
export const ALL_CAPABILITIES = (1n << BigInt(CAPABILITY_NAMES.length)) - 1n;

/**
 * The capabilities of a container when nothing is asked for: podman's eleven, which leave out docker's MKNOD
 * (device nodes), NET_RAW (forged packets) and AUDIT_WRITE. CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID
 * SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP.
 */
export const DEFAULT_CAPABILITIES = 0x8004_05fbn;

/** What shapes the capabilities of one container. */
export interface CapabilityRequest {
  /** Names in any case, with or without `CAP_`, or `ALL`. */
  readonly add: readonly string[];
  /** As `add`. */
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** Bounding set of the caller, as a mask: what a container can have at most. */
  readonly hostBounding: bigint;
}

/** The capability sets of the container's first process; inheritable and ambient are always empty. */
export interface CapabilityPlan {
  /** Bounding set; for container root also the permitted and effective set. */
  readonly bounding: bigint;
  /** Capabilities that the defaults, ALL or privileged stand for and that the host withholds. */
  readonly withheld: bigint;
}

/**
 * Number of a capability.
 * @param name in any case, with or without `CAP_`.
 * @throws {UsageError} for a name that Linux does not have.
 */
export function capabilityNumber(name: string): number {
  const number = findCapability(name);
  if (number !== undefined) return number;
  const bare = bareName(name);
  const closest = closestName(bare, CAPABILITY_NAMES);
  throw new UsageError(`Cannot use capability "${name}": Linux has none of that name`, {
    hint:
      closest === undefined
        ? "Choose a name from capabilities(7)"
        : `Write "CAP_${closest}" if that was meant`,
  });
}

/** The same, undefined for a name that Linux does not have. */
export function findCapability(name: string): number | undefined {
  const number = (CAPABILITY_NAMES as readonly string[]).indexOf(bareName(name));
  return number < 0 ? undefined : number;
}

/** Names (`CAP_CHOWN`) of the capabilities in `mask`, in the kernel's order; unknown bits are left out. */
export function capabilityNames(mask: bigint): string[] {
  return CAPABILITY_NAMES.filter((_, number) => (mask >> BigInt(number)) & 1n).map((name) => `CAP_${name}`);
}

/**
 * Mask of the named capabilities, bit n for capability n.
 * @throws {UsageError} for a name that Linux does not have.
 */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) mask |= 1n << BigInt(capabilityNumber(name));
  return mask;
}

/** The two 32-bit words, low first, that capset(2) takes for a mask. */
export function capabilityWords(mask: bigint): readonly [low: number, high: number] {
  return [Number(mask & 0xffff_ffffn), Number((mask >> 32n) & 0xffff_ffffn)];
}

/**
 * Decides the capabilities of a container, as docker does: drops before adds; with `ALL` added, or privileged,
 * everything but what is dropped by name; with `ALL` dropped, only what is added.
 * @throws {UsageError} for an unknown name, and for one added by name that the host withholds.
 */
export function planCapabilities(request: CapabilityRequest): CapabilityPlan {
  // Nothing asked for, the common case: parsing nothing still costs 0.3 ms of cold code.
  if (request.add.length === 0 && request.drop.length === 0 && !request.privileged) {
    return clamp(DEFAULT_CAPABILITIES, request.hostBounding);
  }
  const add = parseNames(request.add);
  const drop = parseNames(request.drop);
  refuseWithheld(add.mask, request.hostBounding);

  const wanted =
    add.all || request.privileged
      ? ALL_CAPABILITIES & ~drop.mask
      : ((drop.all ? 0n : DEFAULT_CAPABILITIES) & ~drop.mask) | add.mask;
  return clamp(wanted, request.hostBounding);
}

function clamp(wanted: bigint, hostBounding: bigint): CapabilityPlan {
  return { bounding: wanted & hostBounding, withheld: wanted & ~hostBounding };
}

function bareName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper.slice(4) : upper;
}

function parseNames(names: readonly string[]): { readonly all: boolean; readonly mask: bigint } {
  const single = names.filter((name) => bareName(name) !== "ALL");
  return { all: single.length < names.length, mask: capabilityMask(single) };
}

function refuseWithheld(asked: bigint, hostBounding: bigint): void {
  const withheld = capabilityNames(asked & ~hostBounding);
  if (withheld.length === 0) return;
  throw new UsageError(
    `Cannot add capability "${withheld.join(", ")}": the host does not grant it to bunker`,
    {
      hint: "Start bunker where CapBnd of /proc/self/status holds it, or leave the capability out",
    },
  );
}
