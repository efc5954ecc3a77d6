/**
 * Resource limits of the container's first process: names, numbers, and what `--ulimit` may ask for. Pure: the
 * caller reads the host's limits (prlimit64) and applies the plan. Numbers are those of x86-64 and arm64
 * (include/uapi/asm-generic/resource.h), values those of the kernel; RLIM_INFINITY is written -1.
 */

import { UsageError } from "../../errors.ts";
import { RLIMIT_NAMES } from "../../oci/bundle/names.ts";
import { closestName } from "./closest_name.ts";

/** `--ulimit` names; the index is the RLIMIT_* number. */
const NAMES: readonly string[] = RLIMIT_NAMES.map((name) => name.toLowerCase());

/** getrlimit(2). */
export const RLIMIT_NOFILE = 7;

/** No limit: all bits set, as the kernel stores it. */
export const RLIM_INFINITY = -1;

/** Default soft limit of open files: select(2) fails above it, and programs that close all descriptors crawl. */
export const NOFILE_SOFT = 1024;
/** Default hard limit of open files, where the host has as many. */
export const NOFILE_HARD_MAX = 1_048_576;

/** A pair of limits; {@link RLIM_INFINITY} or a whole number from 0 to 2^53-1. */
export interface Rlimit {
  readonly soft: number;
  readonly hard: number;
}

/** One setrlimit(2) of the container's first process. */
export interface RlimitStep extends Rlimit {
  /** RLIMIT_* */
  readonly resource: number;
  /** `nofile` */
  readonly name: string;
}

/** A limit that the user or a bundle asks for. */
export interface RlimitRequest extends Rlimit {
  /** As in `--ulimit`: `nofile`; `RLIMIT_NOFILE` is taken too. */
  readonly name: string;
}

/** What the host lets bunker set. */
export interface HostRlimits {
  /** Present limits by RLIMIT_* number; one that is missing counts as unlimited. */
  readonly limits: ReadonlyMap<number, Rlimit>;
  /** CAP_SYS_RESOURCE in the initial user namespace: hard limits may be raised. */
  readonly mayRaise: boolean;
  /** fs.nr_open: no limit of open files is above it, whatever the capabilities; unlimited when it is left out. */
  readonly openFilesMax?: number;
}

/**
 * RLIMIT_* number of a name such as `nofile` or `RLIMIT_NOFILE`.
 * @throws {UsageError} for a name that Linux does not have.
 */
export function rlimitNumber(name: string): number {
  const number = findRlimit(name);
  if (number !== undefined) return number;
  const bare = bareName(name);
  const closest = closestName(bare, NAMES);
  throw new UsageError(`Cannot set ulimit "${name}": Linux has no limit of that name`, {
    hint:
      closest === undefined ? `Choose one of ${NAMES.join(", ")}` : `Write "${closest}" if that was meant`,
  });
}

/** The same, undefined for a name that Linux does not have. */
export function findRlimit(name: string): number | undefined {
  const number = NAMES.indexOf(bareName(name));
  return number < 0 ? undefined : number;
}

/**
 * The limits to set, explicit ones and the default for open files; others stay as they are. The default is
 * clamped to what the host allows. Of several requests for one resource the last holds.
 * @throws {UsageError} for an unknown name, a soft limit above the hard one, a value that is not a limit, and a
 *   hard limit above the host's that bunker may not raise.
 */
export function planRlimits(requests: readonly RlimitRequest[], host: HostRlimits): RlimitStep[] {
  const nofile = defaultNofile(host);
  if (requests.length === 0) return [nofile];
  const steps = new Map([[RLIMIT_NOFILE, nofile]]);
  for (const { name, soft, hard } of requests) {
    const step = { resource: rlimitNumber(name), name: bareName(name), soft, hard };
    checkRequest(step, host);
    steps.set(step.resource, step);
  }
  return [...steps.values()];
}

function defaultNofile(host: HostRlimits): RlimitStep {
  const hard = Math.min(comparable(hostHard(RLIMIT_NOFILE, host)), NOFILE_HARD_MAX);
  return { resource: RLIMIT_NOFILE, name: "nofile", soft: Math.min(NOFILE_SOFT, hard), hard };
}

function checkRequest({ resource, name, soft, hard }: RlimitStep, host: HostRlimits): void {
  const text = `${name}=${soft}:${hard}`;
  if (!isLimit(soft) || !isLimit(hard)) {
    throw new UsageError(`Cannot set ulimit "${text}": a limit is -1 or a whole number from 0`);
  }
  if (comparable(soft) > comparable(hard)) {
    throw new UsageError(`Cannot set ulimit "${text}": the soft limit is above the hard limit`, {
      hint: `Write "${name}=${hard}:${soft}" if the two were swapped`,
    });
  }
  if (resource === RLIMIT_NOFILE) checkOpenFiles(text, hard, host);
  const allowed = hostHard(resource, host);
  if (host.mayRaise || comparable(hard) <= comparable(allowed)) return;
  throw new UsageError(
    `Cannot set ulimit "${text}": the host's hard limit is ${allowed} and may not be raised`,
    {
      hint: `Ask for at most ${allowed}, or run bunker with CAP_SYS_RESOURCE`,
    },
  );
}

/** Above fs.nr_open the kernel refuses even those who may raise limits. */
function checkOpenFiles(text: string, hard: number, { openFilesMax }: HostRlimits): void {
  if (openFilesMax === undefined || comparable(hard) <= openFilesMax) return;
  throw new UsageError(`Cannot set ulimit "${text}": the kernel allows at most ${openFilesMax} open files`, {
    hint: `Ask for at most ${openFilesMax}, or raise the sysctl fs.nr_open`,
  });
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/^rlimit_/, "");
}

function hostHard(resource: number, host: HostRlimits): number {
  return host.limits.get(resource)?.hard ?? RLIM_INFINITY;
}

function isLimit(value: number): boolean {
  return value === RLIM_INFINITY || (Number.isSafeInteger(value) && value >= 0);
}

/** Orders limits: unlimited is the greatest. */
function comparable(value: number): number {
  return value === RLIM_INFINITY ? Number.POSITIVE_INFINITY : value;
}
