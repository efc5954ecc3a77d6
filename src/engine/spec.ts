/**
 * From an image's config and the user's options to a runtime-spec configuration: image-spec, conversion.md. Pure but
 * for the caller's environment, which `-e KEY` reads. Text of the image ends in the container's own argv, environment
 * and working directory, and nowhere else.
 */
import { UsageError } from "../errors.ts";
import { exists } from "../linux/small_file.ts";
import type { ProcessConfig } from "../oci/image_config.ts";
import { CPU_PERIOD_US } from "../runtime/cgroup/settings.ts";
import { DEFAULT_PATH } from "../runtime/process/execute.ts";
import { MASKED_PATHS, READONLY_PATHS, thermalThrottlePaths } from "../runtime/security/paths.ts";
import type { Device, Mount, Process, Resources, Rlimit, Spec } from "../runtime/spec/config.ts";
import { namespaces, PIDS_LIMIT } from "./default_spec.ts";
import type { MountRequest, RunOptions } from "./options/run_options.ts";
import type { IdMaps } from "./rootless.ts";

/** What the spec depends on besides options and image. */
export interface SpecInputs {
  readonly config: ProcessConfig;
  readonly id: string;
  readonly capabilities: bigint;
  readonly rlimits: readonly Rlimit[];
  /** Undefined as root. */
  readonly idMaps: IdMaps | undefined;
  /** Which bind sources are directories, by host path. */
  readonly isDirectory: (hostPath: string) => boolean;
  readonly devices: readonly Device[];
}

/** Makes the configuration. @throws {UsageError} when there is no command, or a path is not absolute. */
export function createSpec(options: RunOptions, inputs: SpecInputs): Spec {
  const { idMaps } = inputs;
  const hostname = options.hostname ?? inputs.id.slice(0, 12);
  const open = options.privileged || options.unmaskedPaths;
  return {
    process: createProcess(options, inputs, hostname),
    root: { readonly: options.readonlyRoot },
    hostname,
    mounts: options.mounts.map((mount) => createMount(mount, inputs)),
    linux: {
      namespaces: namespaces({ userns: idMaps !== undefined, network: options.network }),
      uidMappings: idMaps?.uids ?? [],
      gidMappings: idMaps?.gids ?? [],
      devices: inputs.devices,
      maskedPaths: open ? [] : maskedPaths(),
      readonlyPaths: open ? [] : READONLY_PATHS,
      resources: createResources(options),
    },
  };
}

/** Files that tell how hot each processor is exist on few machines. */
function maskedPaths(): readonly string[] {
  const [first = ""] = thermalThrottlePaths(1);
  return exists(first)
    ? [...MASKED_PATHS, ...thermalThrottlePaths(navigator.hardwareConcurrency)]
    : MASKED_PATHS;
}

function createProcess(options: RunOptions, inputs: SpecInputs, hostname: string): Process {
  const cwd = options.workdir ?? (inputs.config.workingDir || "/");
  if (!cwd.startsWith("/")) {
    throw new UsageError(`Cannot use the working directory "${cwd}": it is not an absolute path`, {
      hint: `Write "/${cwd}"`,
    });
  }
  return {
    terminal: options.tty,
    args: commandLine(options, inputs.config),
    env: environment(options, inputs.config, hostname),
    cwd,
    user: undefined,
    capabilities: inputs.capabilities,
    rlimits: inputs.rlimits,
    noNewPrivileges: options.noNewPrivileges && !options.privileged,
  };
}

/** Entrypoint and Cmd: an entry point of the user drops the image's Cmd, arguments replace it. */
function commandLine(options: RunOptions, config: ProcessConfig): readonly string[] {
  const entrypoint = options.entrypoint ?? config.entrypoint;
  const usesImageCmd = options.command.length === 0 && options.entrypoint === undefined;
  const args = [...entrypoint, ...(usesImageCmd ? config.cmd : options.command)];
  if (args.length === 0 || args[0] === "") {
    throw new UsageError(`Cannot run "${options.image}": the image names no command`, {
      hint: `Give one: bunker run ${options.image} COMMAND`,
    });
  }
  return args;
}

/** Later entries of one name win, and keep the place of the first. */
function environment(options: RunOptions, config: ProcessConfig, hostname: string): readonly string[] {
  const entries = new Map<string, string>();
  const set = (entry: string) => entries.set(entry.split("=", 1)[0] as string, entry);
  for (const entry of [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`]) set(entry);
  if (options.tty) set("TERM=xterm");
  for (const entry of config.env) set(entry);
  for (const entry of resolveEnv(options.env)) {
    if (entry.includes("=")) set(entry);
    else entries.delete(entry);
  }
  return [...entries.values()];
}

/** `KEY` becomes `KEY=value` where the caller has a value, and stays where the variable is to go. */
export function resolveEnv(env: RunOptions["env"]): readonly string[] {
  return env.map((entry) =>
    entry.includes("=") || process.env[entry] === undefined ? entry : `${entry}=${process.env[entry]}`,
  );
}

function createMount(request: MountRequest, { isDirectory }: SpecInputs): Mount {
  if (request.type === "bind") {
    const options = ["rbind", request.propagation, ...(request.readonly ? ["ro"] : [])];
    const { hostPath, containerPath } = request;
    return {
      destination: containerPath,
      type: "bind",
      source: hostPath,
      options,
      sourceIsDirectory: isDirectory(hostPath),
    };
  }
  const flags = { ro: request.readonly, nosuid: !request.suid, nodev: !request.dev, noexec: !request.exec };
  const options = Object.entries(flags).flatMap(([name, given]) => (given ? [name] : []));
  options.push(`mode=${request.mode.toString(8)}`);
  if (request.sizeBytes !== undefined) options.push(`size=${request.sizeBytes}`);
  if (request.uid !== undefined) options.push(`uid=${request.uid}`);
  if (request.gid !== undefined) options.push(`gid=${request.gid}`);
  return { destination: request.containerPath, type: "tmpfs", source: "tmpfs", options };
}

function createResources({ memoryBytes, cpus, pidsLimit }: RunOptions): Resources {
  const pids = pidsLimit ?? PIDS_LIMIT;
  return {
    ...(memoryBytes === undefined ? {} : { memory: memoryBytes }),
    ...(cpus === undefined ? {} : { cpuQuota: Math.round(cpus * CPU_PERIOD_US) }),
    ...(pids < 0 ? {} : { pids }),
  };
}

/** Members of the resources that the user gave. */
export function requiredResources({
  memoryBytes,
  cpus,
  pidsLimit,
}: RunOptions): ReadonlySet<keyof Resources> {
  const required = new Set<keyof Resources>();
  if (memoryBytes !== undefined) required.add("memory");
  if (cpus !== undefined) required.add("cpuQuota");
  if (pidsLimit !== undefined && pidsLimit > 0) required.add("pids");
  return required;
}
