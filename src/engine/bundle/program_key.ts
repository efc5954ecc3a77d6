/** What of a container decides whether a kept program is its own, and what is put into that program's slots. */
import type { Process } from "../../oci/bundle/config.ts";
import type { BundleHost } from "../../runtime/bundle_plan.ts";
import { keyringName } from "../../runtime/process/keyring_name.ts";
import { cgroupSlot } from "../../runtime/rootfs/bundle_host.ts";
import type { PlannedLaunch } from "./compile.ts";
import { build, type KeptPlace, placeOf } from "./kept_files.ts";
import { addProcessTexts } from "./program_cache.ts";

/** Where the program of this container is kept; undefined where nothing is. */
export function programPlace(launch: PlannedLaunch, host: BundleHost): KeptPlace | undefined {
  const root = launch.context?.root;
  if (root === undefined || build === undefined) return undefined;
  // Their environment stands in the program as it is.
  if (host.fds.createState !== undefined || host.fds.startState !== undefined) return undefined;
  return placeOf(`${root}/~programs`, [launch.bundle.bytes, keyOf(launch, host)]);
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

/** The texts of the program of a container. */
export function bundleTexts(
  { id, root: { cgroup } }: BundleHost,
  process: Process,
): ReadonlyMap<string, string> {
  const texts = new Map([["keyring", keyringName(id)]]);
  addProcessTexts(texts, process);
  if (cgroup.kind === "unified") texts.set(cgroupSlot(""), cgroup.hostPath);
  if (cgroup.kind === "controllers") {
    for (const { name, hostPath } of cgroup.hierarchies) texts.set(cgroupSlot(name), hostPath);
  }
  return texts;
}
