/** From options and image to a container that is ready to be built: the spec, then everything around it. */
import { forwardSignals } from "../linux/forward_signals.ts";
import { exists, isDirectory } from "../linux/small_file.ts";
import { pollForExit, waitForExit } from "../linux/wait.ts";
import type { Cgroup } from "../runtime/cgroup/cgroup.ts";
import type { CompiledContainer, CompiledFile } from "../runtime/compiled_container.ts";
import type { RootSource } from "../runtime/rootfs/root_source.ts";
import { ALL_CAPABILITIES, planCapabilities } from "../runtime/security/capability.ts";
import { planRlimits } from "../runtime/security/rlimit.ts";
import { seccompFilter } from "../runtime/security/seccomp_filter.ts";
import type { KernelVersion } from "../runtime/security/seccomp_profile.ts";
import type { StartedContainer } from "../runtime/start.ts";
import type { TerminalRelay } from "../runtime/terminal_relay.ts";
import { isImagePath, type StoredImage } from "../store/find_image.ts";
import type { Attempt, Supervision } from "./attempts.ts";
import { BASE_LAYER } from "./base_layer.ts";
import { type ContainerDirectory, removeStaleContainers } from "./container_directory.ts";
import { defaultDevices } from "./default_spec.ts";
import { COMPILED_PROGRAMS, stateRoot } from "./directories.ts";
import { etcFiles } from "./etc_files.ts";
import { hostRlimits } from "./host_limits.ts";
import { kernelVersion } from "./kernel.ts";
import type { MountRequest, RunOptions } from "./options/run_options.ts";
import type { ContainerPlan, RunInputs } from "./run_plan.ts";
import { createSpec } from "./spec.ts";

/** Makes the configuration. @throws {UsageError} for options that cannot be honoured. */
export async function planContainerRun(inputs: RunInputs): Promise<ContainerPlan> {
  const { options, status, idMaps, image } = inputs;
  const id = crypto.getRandomValues(new Uint8Array(32)).toHex();
  const { capAdd, capDrop, privileged, ulimits } = options;
  if (!options.explain && options.mounts.length > 0) await makeHostPaths(options.mounts);
  const hostBounding = boundingOf(inputs);
  const { bounding } = planCapabilities({ add: capAdd, drop: capDrop, privileged, hostBounding });
  const rlimits = planRlimits(ulimits, hostRlimits(status.effective, { all: ulimits.length > 0 }));
  const seccompFilter = await filterOf(options, { capabilities: bounding, image });
  const spec = createSpec(options, {
    config: image.config,
    id,
    capabilities: bounding,
    rlimits,
    idMaps,
    isDirectory,
    devices: privileged ? (await import("./host_devices.ts")).hostDevices() : defaultDevices,
  });
  return { ...inputs, id, spec, seccompFilter };
}

/** In a user namespace of its own a container may hold every capability: over what that namespace owns. */
const boundingOf = ({ idMaps, status }: RunInputs): bigint =>
  idMaps === undefined ? status.bounding : ALL_CAPABILITIES;

/** docker's -v makes a missing host path a directory; --mount leaves the error to the step that opens it. */
async function makeHostPaths(mounts: readonly MountRequest[]): Promise<void> {
  const { mkdirSync } = await import("node:fs");
  for (const mount of mounts) {
    if (mount.type === "bind" && mount.createHostPath && !exists(mount.hostPath)) {
      mkdirSync(mount.hostPath, { recursive: true, mode: 0o755 });
    }
  }
}

async function filterOf(
  { seccomp, privileged }: RunOptions,
  { capabilities, image }: { readonly capabilities: bigint; readonly image: StoredImage },
): Promise<Uint8Array | undefined> {
  if (seccomp === "unconfined" || (privileged && seccomp === "default")) return undefined;
  const profile = seccomp === "default" ? "default" : await readProfile(seccomp);
  const arch = image.architecture === "386" ? "386" : process.arch === "arm64" ? "arm64" : "amd64";
  return seccompFilter({ profile, capabilities, arch, kernel: kernelVersion() });
}

async function readProfile(path: string) {
  const { readSeccompProfile } = await import("./seccomp_file.ts");
  return readSeccompProfile(path);
}

/** Where the container is built. */
export interface Place {
  readonly directory: Omit<ContainerDirectory, "remove">;
  readonly cgroup: Pick<Cgroup, "procs" | "mounts" | "guardsDevices">;
}

/** Everything that building the container needs. */
export async function createAttempt(plan: ContainerPlan, { directory, cgroup }: Place): Promise<Attempt> {
  const { options, image, idMaps, spec, status } = plan;
  const copied = await copyCommand(plan, directory);
  const lower = [...copied, ...image.layers.toReversed(), BASE_LAYER];
  return {
    spec,
    user: options.user ?? image.config.user,
    image: options.image,
    platform: image,
    needsMounts: flagsThatMount(options),
    overlay: overlayOf(plan, { lower, ...directory, guardsDevices: cgroup.guardsDevices }),
    host: {
      files: etcFiles(spec.hostname, options.network),
      cgroupProcs: cgroup.procs.length,
      captured: plan.context.outputs !== undefined,
      cgroupMounts: cgroup.mounts,
      seccompFilter: plan.seccompFilter,
      ignoredSignals: status.ignoredSignals,
      hostBounding: boundingOf(plan),
      setgroupsAllowed: !(idMaps?.single ?? false),
      ttyGid: idMaps?.single ? undefined : 5,
      stdin: options.interactive,
      init: options.init,
      writableKernel: options.privileged,
    },
    copyRoot: async () =>
      (await import("./copied_root.ts")).copyRoot(plan.root, { lower, directory: directory.path }),
    inherit: [...cgroup.procs, ...(plan.context.outputs ?? [])],
    compiled: `${plan.root}/${COMPILED_PROGRAMS}`,
    programFile: `${stateRoot(plan.context)}/program-${plan.id.slice(0, 12)}`,
    onUpper: directory.keepUpper,
    onSpawned: ({ pidfd }) => plan.context.embedded === true || forwardSignals(pidfd),
    supervise: (started, store) => supervise(plan, started, store),
  };
}

interface OverlayParts {
  readonly lower: readonly string[];
  readonly scratch: string;
  readonly guardsDevices: boolean;
  readonly mayRefuseUpper: boolean;
}

function overlayOf({ root, options, image }: ContainerPlan, from: OverlayParts): RootSource | undefined {
  if (image.overlayXattrs === "files") return undefined;
  const appendLayers = appendsLayers(kernelVersion());
  // A kernel that takes no layers one by one mounts no images from files either.
  if (!appendLayers && from.lower.some(isImagePath)) return undefined;
  return {
    kind: "overlay",
    directory: root,
    lower: from.lower.map((path) => ({ path, isImage: isImagePath(path) })),
    scratch: from.scratch,
    userxattr: image.overlayXattrs === "user",
    nodev: !from.guardsDevices && !options.privileged,
    appendLayers,
    tellsUpper: from.mayRefuseUpper,
  };
}

/** overlayfs takes layers one by one since Linux 6.7 (Documentation/filesystems/overlayfs.rst). */
const appendsLayers = ({ major, minor }: KernelVersion): boolean => major > 6 || (major === 6 && minor >= 7);

/** The compatibility of the challenge: ADR 0007. */
async function copyCommand(plan: ContainerPlan, directory: Place["directory"]): Promise<readonly string[]> {
  if (process.env["BUNKER_COPY_COMMAND"] !== "1" || plan.options.explain) return [];
  const { copyCommandLayer } = await import("./copy_command.ts");
  return copyCommandLayer(plan, directory);
}

function flagsThatMount(options: RunOptions): string[] {
  return [
    ...(options.mounts.length > 0 ? ["--volume, --mount and --tmpfs"] : []),
    ...(options.readonlyRoot ? ["--read-only"] : []),
    ...(options.tty ? ["--tty"] : []),
  ];
}

type CompiledStore = CompiledContainer["store"];

async function supervise(
  plan: ContainerPlan,
  { pidfd, master, identity }: StartedContainer,
  store: CompiledStore,
): Promise<Supervision> {
  const relay = master === undefined ? undefined : await relayOf({ master, pidfd }, plan);
  await keepHouse(plan, () => store?.(identity));
  const wait = () => (plan.context.embedded ? pollForExit(pidfd) : waitForExit(pidfd));
  return { wait, finish: () => relay?.finish() };
}

/** What can be done while the container runs. A full disk is no reason to end a container that runs. */
async function keepHouse(
  plan: ContainerPlan,
  compile: () => Promise<CompiledFile> | undefined,
): Promise<void> {
  try {
    const file = await compile();
    if (file !== undefined) (await import("./compiled_programs.ts")).keepCompiled(plan.root, file);
    await removeStaleContainers(plan.root, plan.id.slice(0, 12), plan.idMaps);
  } catch {
    // Nothing of it is needed by this container; the next one tries again.
  }
}

async function relayOf(
  { master, pidfd }: { readonly master: number; readonly pidfd: number },
  { options }: ContainerPlan,
): Promise<TerminalRelay> {
  const { relayTerminal } = await import("../runtime/terminal_relay.ts");
  return relayTerminal(master, { pidfd, input: options.interactive });
}
