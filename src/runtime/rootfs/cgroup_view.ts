/** What a container is shown of control groups, from where its own group is. */
import { CGROUP_ROOT } from "../cgroup/hierarchies.ts";
import type { CgroupPlace } from "../cgroup/place.ts";
import type { CgroupHierarchy, CgroupView } from "./bundle_host.ts";

/** Who looks. */
export interface CgroupViewer {
  /** The container has a namespace of control groups of its own. */
  readonly ownNamespace: boolean;
  /** It is in a user namespace, or the runtime is an ordinary user's. */
  readonly unprivileged: boolean;
}

/** Its own group; on version 2 without a namespace, where /proc/self/cgroup names paths of the host, all of them. */
export function cgroupViewOf(
  { version, directories }: CgroupPlace,
  { ownNamespace, unprivileged }: CgroupViewer,
): CgroupView {
  if (version === 0) return { kind: "none" };
  if (version === 2) {
    const own = directories[""] ?? CGROUP_ROOT;
    // The whole hierarchy of others would be writable for who is mapped to their owner (CVE-2023-25809).
    return { kind: "unified", hostPath: ownNamespace || unprivileged ? own : CGROUP_ROOT };
  }
  const names = new Map<string, string>();
  for (const [controller, hostPath] of Object.entries(directories)) {
    const before = names.get(hostPath);
    names.set(
      hostPath,
      nameOf(hostPath) ?? (before === undefined ? plain(controller) : `${before},${plain(controller)}`),
    );
  }
  const hierarchies: CgroupHierarchy[] = [];
  for (const [hostPath, name] of names) hierarchies.push({ name, hostPath });
  return { kind: "controllers", hierarchies };
}

/** The directory that the hierarchy is mounted on, where that is the usual one. */
function nameOf(hostPath: string): string | undefined {
  const prefix = `${CGROUP_ROOT}/`;
  return hostPath.startsWith(prefix) ? hostPath.slice(prefix.length).split("/", 1)[0] : undefined;
}

const plain = (controller: string): string => controller.replace("name=", "");
