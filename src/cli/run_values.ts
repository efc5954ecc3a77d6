/**
 * The options of `run` whose texts have to be parsed. Each parser is loaded only when its option was given: most
 * command lines have two or three of them.
 */
import { defaultRunOptions, type MountRequest, type RunOptions } from "../engine/options/run_options.ts";
import { CommandLineError } from "./command_line_error.ts";
import type { ParsedOptions } from "./options.ts";

/**
 * The values of all options that need parsing, with the engine's default for those that were not given.
 * @throws {CommandLineError} naming the option whose value is wrong, with the reason as its cause.
 */
export async function readRunValues(parsed: ParsedOptions): Promise<Partial<RunOptions>> {
  return {
    env: await readEnvironment(parsed),
    mounts: await readMounts(parsed),
    ...(await readIdentity(parsed)),
    ...(await readLimits(parsed)),
    ...(await readSecurity(parsed)),
    pull: (await one(parsed, "pull", loadPull)) ?? defaultRunOptions.pull,
    network: (await one(parsed, "network", loadNetwork)) ?? defaultRunOptions.network,
  };
}

/** Files first, so that a single `-e` can overrule what a file says. */
async function readEnvironment(parsed: ParsedOptions): Promise<readonly string[]> {
  const files = await many(parsed, "env-file", async () => {
    return (await import("../engine/options/env_file.ts")).readEnvFile;
  });
  const entries = await many(parsed, "env", async () => (await import("../engine/options/env.ts")).parseEnv);
  return [...files.flat(), ...entries];
}

async function readMounts(parsed: ParsedOptions): Promise<readonly MountRequest[]> {
  const mounts = [
    ...(await many(parsed, "volume", async () => (await import("../engine/options/volume.ts")).parseVolume)),
    ...(await many(parsed, "mount", async () => (await import("../engine/options/mount.ts")).parseMount)),
    ...(await many(parsed, "tmpfs", async () => (await import("../engine/options/tmpfs.ts")).parseTmpfs)),
  ];
  const seen = new Set<string>();
  for (const { containerPath } of mounts) {
    if (seen.has(containerPath)) throw new CommandLineError(`Duplicate mount point: ${containerPath}`);
    seen.add(containerPath);
  }
  return mounts;
}

async function readIdentity(
  parsed: ParsedOptions,
): Promise<Pick<RunOptions, "user" | "name" | "hostname" | "workdir">> {
  return {
    user: await one(parsed, "user", async () => (await import("../engine/options/user.ts")).parseUserOption),
    name: await one(parsed, "name", async () => (await import("../engine/options/name.ts")).parseName),
    hostname: await one(
      parsed,
      "hostname",
      async () => (await import("../engine/options/hostname.ts")).parseHostname,
    ),
    workdir: await one(parsed, "workdir", async () => {
      return (await import("../engine/options/container_path.ts")).parseWorkdir;
    }),
  };
}

async function readLimits(
  parsed: ParsedOptions,
): Promise<Pick<RunOptions, "memoryBytes" | "cpus" | "pidsLimit" | "ulimits">> {
  return {
    memoryBytes: await one(
      parsed,
      "memory",
      async () => (await import("../engine/options/memory.ts")).parseMemory,
    ),
    cpus: await one(parsed, "cpus", async () => (await import("../engine/options/cpus.ts")).parseCpus),
    pidsLimit: await one(parsed, "pids-limit", async () => {
      return (await import("../engine/options/pids_limit.ts")).parsePidsLimit;
    }),
    ulimits: await many(
      parsed,
      "ulimit",
      async () => (await import("../engine/options/ulimit.ts")).parseUlimit,
    ),
  };
}

type Security = Pick<RunOptions, "capAdd" | "capDrop" | "noNewPrivileges" | "seccomp" | "unmaskedPaths">;

async function readSecurity(parsed: ParsedOptions): Promise<Security> {
  const changes = await many(parsed, "security-opt", async () => {
    return (await import("../engine/options/security_opt.ts")).parseSecurityOpt;
  });
  return {
    noNewPrivileges: defaultRunOptions.noNewPrivileges,
    seccomp: defaultRunOptions.seccomp,
    unmaskedPaths: defaultRunOptions.unmaskedPaths,
    ...Object.assign({}, ...changes),
    capAdd: (await many(parsed, "cap-add", loadCapabilities)).flat(),
    capDrop: (await many(parsed, "cap-drop", loadCapabilities)).flat(),
  };
}

async function loadCapabilities(): Promise<(text: string) => readonly string[]> {
  return (await import("../engine/options/capability.ts")).parseCapabilities;
}

async function loadPull(): Promise<(text: string) => RunOptions["pull"]> {
  return (await import("../engine/options/pull.ts")).parsePull;
}

async function loadNetwork(): Promise<(text: string) => RunOptions["network"]> {
  return (await import("../engine/options/network.ts")).parseNetwork;
}

type Load<T> = () => Promise<(text: string) => T>;

/** The value of an option that counts once; undefined when it was not given. */
async function one<T>(parsed: ParsedOptions, name: string, load: Load<T>): Promise<T | undefined> {
  const text = parsed.text(name);
  return text === undefined ? undefined : parseValue(await load(), name, text);
}

/** All values of an option that may be repeated. */
async function many<T>(parsed: ParsedOptions, name: string, load: Load<T>): Promise<readonly T[]> {
  const texts = parsed.list(name);
  if (texts.length === 0) return [];
  const parse = await load();
  return texts.map((text) => parseValue(parse, name, text));
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
