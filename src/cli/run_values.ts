/**
 * The options of `run` whose texts have to be parsed. The parsers come with this file as one piece: loading each when
 * its option is used took 0.1 ms an option longer.
 */
import { parseCapabilities } from "../engine/options/capability.ts";
import { parseWorkdir } from "../engine/options/container_path.ts";
import { parseCpus } from "../engine/options/cpus.ts";
import { parseEnv } from "../engine/options/env.ts";
import { parseHostname } from "../engine/options/hostname.ts";
import { parseMemory } from "../engine/options/memory.ts";
import { parseMount } from "../engine/options/mount.ts";
import { parseName } from "../engine/options/name.ts";
import { parseNetwork } from "../engine/options/network.ts";
import { parsePidsLimit } from "../engine/options/pids_limit.ts";
import { parsePull } from "../engine/options/pull.ts";
import { defaultRunOptions, type MountRequest, type RunOptions } from "../engine/options/run_options.ts";
import { parseSecurityOpt } from "../engine/options/security_opt.ts";
import { parseTmpfs } from "../engine/options/tmpfs.ts";
import { parseUlimit } from "../engine/options/ulimit.ts";
import { parseUserOption } from "../engine/options/user.ts";
import { parseVolume } from "../engine/options/volume.ts";
import { CommandLineError } from "./command_line_error.ts";
import type { ParsedOptions } from "./options.ts";

/**
 * The values of all options that need parsing, with the engine's default for those that were not given.
 * @throws {CommandLineError} naming the option whose value is wrong, with the reason as its cause.
 */
export async function readRunValues(parsed: ParsedOptions): Promise<Partial<RunOptions>> {
  return {
    env: await readEnvironment(parsed),
    mounts: readMounts(parsed),
    user: one(parsed, "user", parseUserOption),
    name: one(parsed, "name", parseName),
    hostname: one(parsed, "hostname", parseHostname),
    workdir: one(parsed, "workdir", parseWorkdir),
    memoryBytes: one(parsed, "memory", parseMemory),
    cpus: one(parsed, "cpus", parseCpus),
    pidsLimit: one(parsed, "pids-limit", parsePidsLimit),
    ulimits: many(parsed, "ulimit", parseUlimit),
    pull: one(parsed, "pull", parsePull) ?? defaultRunOptions.pull,
    network: one(parsed, "network", parseNetwork) ?? defaultRunOptions.network,
    ...readSecurity(parsed),
  };
}

/** Files first, so that a single `-e` can overrule what a file says. */
async function readEnvironment(parsed: ParsedOptions): Promise<readonly string[]> {
  const entries = many(parsed, "env", parseEnv);
  if (parsed.list("env-file").length === 0) return entries;
  const { readEnvFile } = await import("../engine/options/env_file.ts");
  return [...many(parsed, "env-file", readEnvFile).flat(), ...entries];
}

function readMounts(parsed: ParsedOptions): readonly MountRequest[] {
  const mounts = [
    ...many(parsed, "volume", parseVolume),
    ...many(parsed, "mount", parseMount),
    ...many(parsed, "tmpfs", parseTmpfs),
  ];
  const seen = new Set<string>();
  for (const { containerPath } of mounts) {
    if (seen.has(containerPath)) throw new CommandLineError(`Duplicate mount point: ${containerPath}`);
    seen.add(containerPath);
  }
  return mounts;
}

type Security = Pick<RunOptions, "capAdd" | "capDrop" | "noNewPrivileges" | "seccomp" | "unmaskedPaths">;

/** Of contradicting `--security-opt` the last one counts. */
function readSecurity(parsed: ParsedOptions): Security {
  const { noNewPrivileges, seccomp, unmaskedPaths } = defaultRunOptions;
  return {
    noNewPrivileges,
    seccomp,
    unmaskedPaths,
    ...Object.assign({}, ...many(parsed, "security-opt", parseSecurityOpt)),
    capAdd: many(parsed, "cap-add", parseCapabilities).flat(),
    capDrop: many(parsed, "cap-drop", parseCapabilities).flat(),
  };
}

/** The value of an option that counts once; undefined when it was not given. */
function one<T>(parsed: ParsedOptions, name: string, parse: (text: string) => T): T | undefined {
  const text = parsed.text(name);
  return text === undefined ? undefined : parseValue(parse, name, text);
}

/** All values of an option that may be repeated. */
function many<T>(parsed: ParsedOptions, name: string, parse: (text: string) => T): readonly T[] {
  return parsed.list(name).map((text) => parseValue(parse, name, text));
}

function parseValue<T>(parse: (text: string) => T, name: string, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    // A value of --env may be a secret, which no message repeats.
    const shown = name === "env" ? "" : ` "${text}"`;
    throw new CommandLineError(`invalid argument${shown} for --${name}`, { cause: error });
  }
}
