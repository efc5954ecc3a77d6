/**
 * Builds the container in the best way that the kernel allows here, found out by trying: a program that is refused at
 * a step which decides between grades is followed by one of the next grade (ARCHITECTURE.md, Grades of isolation).
 *
 *     full, nested  overlay root (the program itself falls back from a disk to a tmpfs, from pivot_root to MS_MOVE)
 *     nested        a copy of the layers, where overlayfs is refused
 *     minimal       a copy of the layers and chroot alone, where every mount(2) is refused
 *
 * What the user asked for by a flag and cannot be had in a lesser grade is an error.
 */
import { socketpair } from "../linux/socket_pair.ts";
import type { ProgramFailure, SpawnedProgram } from "../linux/spawn.ts";
import type { Exit } from "../linux/wait.ts";
import type { Platform } from "../oci/platform.ts";
import { type CompiledContainer, compileContainer } from "../runtime/compiled_container.ts";
import type { HostPlan } from "../runtime/container_plan.ts";
import { type RootSource, SECTION_OVERLAY, SECTION_PROPAGATION } from "../runtime/rootfs/root_source.ts";
import type { Spec } from "../runtime/spec/config.ts";
import { type StartedContainer, startContainer } from "../runtime/start.ts";

/** A container ready to be built. */
export interface Attempt {
  readonly spec: Spec;
  readonly host: Omit<HostPlan, "root">;
  /** Descriptors that the program inherits: files of control groups, then pipes for its outputs. */
  readonly inherit: readonly number[];
  /** Undefined where the image's layers are not of overlayfs' form: a copy of them is the root then. */
  readonly overlay: RootSource | undefined;
  /** `name|uid[:group|gid]` to be looked up in the container. */
  readonly user: string;
  /** As the user named it. */
  readonly image: string;
  /** What the image is for, for messages. */
  readonly platform: Platform;
  /** Makes a copy of the layers, for grades without overlay. @returns its absolute path. */
  readonly copyRoot: () => Promise<string>;
  /** Flags of the user that need mount(2). */
  readonly needsMounts: readonly string[];
  /** Directory of compiled programs. */
  readonly compiled: string;
  /** Path for the program where memfds may not be executed. */
  readonly programFile: string;
  /** Called while the container's root is being assembled. */
  readonly onSpawned: (spawned: SpawnedProgram) => void;
  /** Called with the writable layer, when that lies on a tmpfs of the container alone; owned by the callee. */
  readonly onUpper: (fd: number) => void;
  /** Called when the container's command runs, before waiting for it. */
  readonly supervise: (
    started: StartedContainer,
    store: CompiledContainer["store"],
  ) => Supervision | Promise<Supervision>;
}

/** What goes on while a container runs. */
export interface Supervision {
  /** Waits for the container's end. */
  wait(): Exit | Promise<Exit>;
  /** Called after it. */
  finish(): void;
}

/** Runs the container to its end. @throws {ContainerError} when it cannot be started. */
export async function runAttempts(attempt: Attempt): Promise<Exit> {
  const first = attempt.overlay === undefined ? undefined : await tryRoot(attempt, attempt.overlay);
  if (first !== undefined && !isRefused(first)) return settle(first, attempt);
  const directory = await attempt.copyRoot();
  let refused = first;
  if (refused === undefined || refused.failure.step.purpose === SECTION_OVERLAY) {
    const second = await tryRoot(attempt, { kind: "directory", directory, mounts: true });
    if (!isRefused(second)) return settle(second, attempt);
    refused = second;
  }
  await refuseFlags(attempt, refused.failure);
  return settle(await tryRoot(attempt, { kind: "directory", directory, mounts: false }), attempt);
}

interface Outcome {
  readonly exit: Exit;
  readonly failure: ProgramFailure | undefined;
}

type RefusedOutcome = Outcome & { readonly failure: ProgramFailure };

async function tryRoot(attempt: Attempt, root: RootSource): Promise<Outcome> {
  const { spec, user, host, inherit, programFile, onSpawned } = attempt;
  const onUpper = root.kind === "overlay" && root.tellsUpper ? attempt.onUpper : undefined;
  const source = { spec, user, host: { ...host, root } };
  const { executable, asksForUser, store } = await compileContainer(source, attempt.compiled);
  const sockets = socketpair();
  const request = { spec, user, asksForUser, sockets, inherit, programFile, onSpawned, onUpper };
  const started = startContainer(executable, request);
  const supervision = await attempt.supervise(started, store);
  const exit = await supervision.wait();
  supervision.finish();
  const failure = await started.failure();
  started.release();
  return { exit, failure };
}

/** Overlay and mount propagation are what the grades differ in; any other failure is one. */
function isRefused(outcome: Outcome): outcome is RefusedOutcome {
  const purpose = outcome.failure?.step.purpose;
  return purpose === SECTION_OVERLAY || purpose === SECTION_PROPAGATION;
}

async function settle({ exit, failure }: Outcome, attempt: Attempt): Promise<Exit> {
  if (failure === undefined) return exit;
  const { explainFailure } = await import("./container_error.ts");
  throw explainFailure(failure, attempt.spec, attempt);
}

async function refuseFlags(attempt: Attempt, failure: ProgramFailure): Promise<void> {
  const { needsMounts, spec } = attempt;
  if (needsMounts.length === 0) return;
  const { ContainerError, explainFailure } = await import("./container_error.ts");
  throw new ContainerError(`Cannot honour ${needsMounts.join(", ")}: this machine refuses every mount`, {
    cause: explainFailure(failure, spec, attempt),
    hint: "Run bunker info for the reasons; under Docker add --security-opt apparmor=unconfined",
  });
}
