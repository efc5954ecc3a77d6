/**
 * Compiled programs of containers, kept for the next container of the same bundle: planning and encoding a program takes
 * a cold start 5 ms, most of it code that runs for the first time (measured; as ADR 0008 has it for images). What
 * differs from container to container, its id and the paths of its control groups, stands in slots; so do arguments and
 * environment, which may be secret: a file is written with its slots empty.
 *
 *     ROOT/~programs/SHA256: { slots, lateSteps, warnings } as one line of JSON, then the encoded program
 */
import { cstr } from "../../linux/call.ts";
import type { Process } from "../../oci/bundle/config.ts";
import type { BundleHost } from "../../runtime/bundle_plan.ts";
import { keyringName } from "../../runtime/process/keyring_name.ts";
import { cgroupSlot } from "../../runtime/rootfs/bundle_host.ts";
import type { PlannedLaunch } from "./compile.ts";
import { build, type KeptPlace, keep, readKept } from "./kept_files.ts";
import type { LateStep } from "./state_file.ts";

/** A program as bytes for FIRST_ADDRESS. */
export interface KeptProgram {
  readonly bytes: Uint8Array;
  /** Offset of each slot's text, by its name. */
  readonly slots: ReadonlyMap<string, number>;
  readonly lateSteps: readonly LateStep[];
  /** What planning it had to warn of. */
  readonly warnings: readonly string[];
}

/** What of a kept program is JSON. */
interface Head {
  readonly slots: ReadonlyArray<readonly [name: string, offset: number]>;
  readonly lateSteps: readonly LateStep[];
  readonly warnings: readonly string[];
}

/** Where the program of this container is kept; undefined where nothing is. */
export function programPlace(launch: PlannedLaunch, host: BundleHost): KeptPlace | undefined {
  const root = launch.context?.root;
  if (root === undefined || build === undefined) return undefined;
  // Their environment stands in the program as it is.
  if (host.fds.createState !== undefined || host.fds.startState !== undefined) return undefined;
  const directory = `${root}/~programs`;
  const hash = new Bun.CryptoHasher("sha256").update(launch.bundle.bytes).update(keyOf(launch, host));
  return { directory, path: `${directory}/${hash.digest("hex")}` };
}

/** Everything that planBundle() reads besides the configuration, with lengths in the place of what is in slots. */
function keyOf({ bundle }: PlannedLaunch, host: BundleHost): string {
  const { root, process } = host;
  const { cgroup } = root;
  const mounts = (bundle.config.mounts ?? []).map((mount) => root.mounts.get(mount) ?? null);
  return JSON.stringify(
    [
      build,
      bundle.config.process.env?.length,
      // Below "cgroup", which is left out everywhere.
      host.fds.cgroup,
      { ...host, id: host.id.length },
      { ...root, mounts },
      cgroup.kind === "controllers"
        ? cgroup.hierarchies.map(({ name, hostPath }) => [name, hostPath.length])
        : { ...cgroup, ...("hostPath" in cgroup ? { hostPath: cgroup.hostPath.length } : {}) },
      // The filter is compiled from the configuration.
      { ...process, filter: undefined, hostBounding: `${process.hostBounding}` },
    ],
    withoutParts,
  );
}

/** What has an entry of its own, without what differs. */
const withoutParts = (key: string, value: unknown): unknown =>
  key === "root" || key === "process" || key === "cgroup" ? undefined : value;

/** What is put into slots. */
export interface ProgramTexts {
  readonly host: BundleHost;
  readonly process: Process;
}

/** The kept program with this container's texts in its slots; undefined when there is none. */
export function findProgram(
  { path }: KeptPlace,
  { host, process }: ProgramTexts,
): Omit<KeptProgram, "slots"> | undefined {
  const file = readKept(path);
  if (file === undefined) return undefined;
  const { slots, lateSteps, warnings } = file.head as Head;
  const texts = textsOf(host, process);
  for (const [name, offset] of slots) file.body.set(cstr(texts.get(name) ?? ""), offset);
  return { bytes: file.body, lateSteps, warnings };
}

function textsOf(
  { id, root: { cgroup } }: BundleHost,
  { args = [], env = [] }: Process,
): ReadonlyMap<string, string> {
  const texts = new Map([["keyring", keyringName(id)]]);
  for (const [index, text] of args.entries()) texts.set(`arg ${index}`, text);
  for (const [index, text] of env.entries()) texts.set(`env ${index}`, text);
  if (cgroup.kind === "unified") texts.set(cgroupSlot(""), cgroup.hostPath);
  if (cgroup.kind === "controllers") {
    for (const { name, hostPath } of cgroup.hierarchies) texts.set(cgroupSlot(name), hostPath);
  }
  return texts;
}

/** Keeps a program for the next container. */
export async function keepProgram(
  place: KeptPlace,
  { bytes, slots, lateSteps, warnings }: KeptProgram,
  { host, process }: ProgramTexts,
): Promise<void> {
  const empty = bytes.slice();
  const texts = textsOf(host, process);
  for (const [name, offset] of slots) empty.fill(0, offset, offset + cstr(texts.get(name) ?? "").length);
  await keep(place, { head: { slots: [...slots], lateSteps, warnings } satisfies Head, body: empty });
}
