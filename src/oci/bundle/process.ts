/** `process`: what is executed, as whom and with which limits (config.md#process and the sections below it). */

import { show } from "../json.ts";
import type { Capabilities, Process, Rlimit } from "./config.ts";
import { RLIMIT_NAMES } from "./names.ts";
import { idNumber, numberList, uint16, uint64 } from "./numbers.ts";
import { ioPriority, scheduler } from "./scheduling.ts";
import {
  absolutePath,
  flag,
  list,
  type Report,
  record,
  type Schema,
  TEXT_BYTES_MAX,
  text,
  whole,
} from "./schema.ts";

/** Far above what fits into the 6 MiB that the kernel takes for arguments and environment together. */
const ARGUMENTS_MAX = 65_536;
/** The kernel's NGROUPS_MAX. */
const GROUPS_MAX = 65_536;
/** Twice as many as there are, for callers that write a name twice. */
const CAPABILITIES_MAX = 128;
/** Longest security label or profile name: an attribute of procfs takes one page. */
export const LABEL_BYTES_MAX = 4095;
const OOM_SCORE_MAX = 1000;
const UMASK_MAX = 0o777;

/** Words of a command line. */
export const argumentsSchema: Schema = list(text(), ARGUMENTS_MAX);

/**
 * Variables as `NAME=value`. What has no name or no "=" is refused, as by runc 1.1.5; crun 1.8.1 hands it on to the
 * command, where no program can look it up. Other names than the specification's letters, digits and underscores
 * are common and harmless; both runtimes take them.
 */
export const environment: Schema = list(
  text(TEXT_BYTES_MAX, (variable) =>
    variable.indexOf("=") > 0 ? undefined : "expected NAME=value with a name before the equals sign",
  ),
  ARGUMENTS_MAX,
);

/** Names that Linux does not know are a warning when the process is planned: config.md#linux-process. */
const capabilitySet = list(text(TEXT_BYTES_MAX), CAPABILITIES_MAX);

const capabilities = record<Capabilities>(
  "config.md#linux-process",
  {
    bounding: capabilitySet,
    effective: capabilitySet,
    inheritable: capabilitySet,
    permitted: capabilitySet,
    ambient: capabilitySet,
  },
  { rule: checkCapabilities },
);

/**
 * What capset(2) refuses. An ambient capability that is neither permitted nor inheritable is left out when the process
 * starts, as by runc, whose own template has such.
 */
function checkCapabilities(sets: Capabilities, report: Report): void {
  const { bounding = [], permitted = [], effective = [], inheritable = [] } = sets;
  for (const name of effective) {
    if (!permitted.includes(name)) report("effective", `${show(name)} is not in the permitted set`);
  }
  for (const name of inheritable) {
    if (!bounding.includes(name)) report("inheritable", `${show(name)} is not in the bounding set`);
  }
}

function judgeLimit(name: string): string | undefined {
  const isKnown = name.startsWith("RLIMIT_") && (RLIMIT_NAMES as readonly string[]).includes(name.slice(7));
  return isKnown ? undefined : `Linux has no limit ${show(name)}`;
}

const rlimit = record<Rlimit>(
  "config.md#posix-process",
  {
    type: text(TEXT_BYTES_MAX, judgeLimit),
    soft: uint64,
    hard: uint64,
  },
  {
    required: ["type", "soft", "hard"],
    rule({ soft, hard }, report) {
      if (soft > hard) report("soft", `the soft limit ${soft} is above the hard limit ${hard}`);
    },
  },
);

const user = record(
  "config.md#posix-platform-user",
  { uid: idNumber, gid: idNumber, umask: whole(0, UMASK_MAX), additionalGids: list(idNumber, GROUPS_MAX) },
  { required: ["uid", "gid"] },
);

/** config.md#process */
export const processSchema = record<Process>(
  "config.md#process",
  {
    terminal: flag,
    consoleSize: record(
      "config.md#process",
      { height: uint16, width: uint16 },
      { required: ["height", "width"] },
    ),
    cwd: absolutePath,
    env: environment,
    args: argumentsSchema,
    user,
    rlimits: list(rlimit, CAPABILITIES_MAX),
    apparmorProfile: text(LABEL_BYTES_MAX, oneLine),
    capabilities,
    noNewPrivileges: flag,
    oomScoreAdj: whole(-OOM_SCORE_MAX, OOM_SCORE_MAX),
    scheduler,
    selinuxLabel: text(LABEL_BYTES_MAX, oneLine),
    ioPriority,
    execCPUAffinity: record("config.md#linux-process", {
      initial: text(LABEL_BYTES_MAX, numberList),
      final: text(LABEL_BYTES_MAX, numberList),
    }),
  },
  {
    required: ["cwd", "user"],
    rule({ rlimits }, report) {
      if (rlimits === undefined) return;
      const seen = new Set<string>();
      for (let index = 0; index < rlimits.length; index++) {
        const { type } = rlimits[index] as Rlimit;
        if (seen.has(type))
          report(`rlimits[${index}].type`, `${type} is given twice`, "config.md#posix-process");
        seen.add(type);
      }
    },
  },
);

/** Refuses a second line: attributes of procfs would take it for another command. */
export function oneLine(value: string): string | undefined {
  return value.includes("\n") ? "it contains a line feed" : undefined;
}
