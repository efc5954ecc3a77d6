/** What a container is shown of its control group: the mounts of type `cgroup` in its configuration. */
import type { CgroupView } from "../rootfs/bundle_host.ts";
import type { CgroupPlace } from "./place.ts";

/** Directories of version 1 lie below the name of their hierarchy: `/sys/fs/cgroup/cpu,cpuacct/…`. */
const HIERARCHY = /^\/sys\/fs\/cgroup\/([^/]+)/;

/** The view of a place, each hierarchy once. */
export function cgroupViewOf({ version, directories }: CgroupPlace): CgroupView {
  if (version === 0) return { kind: "none" };
  if (version === 2) return { kind: "unified", hostPath: directories[""] ?? "/sys/fs/cgroup" };
  const paths = [...new Set(Object.values(directories))];
  return {
    kind: "controllers",
    hierarchies: paths.flatMap((hostPath) => {
      const name = HIERARCHY.exec(hostPath)?.[1];
      return name === undefined ? [] : [{ name, hostPath }];
    }),
  };
}
