/** The host's mount table, for a root that is entered without pivot_root(2): proc_pid_mountinfo(5). */

/**
 * Mount points of whole procfs and sysfs mounts outside `rootfs`, the last mounted first. As long as one is to be seen
 * in a mount namespace, a procfs or sysfs without masks may be mounted again (mount_namespaces(7)).
 */
export function fullKernelMounts(mountinfo: string, rootfs: string): readonly string[] {
  const points: string[] = [];
  for (const line of mountinfo.split("\n")) {
    const separator = line.indexOf(" - ");
    const type = line.slice(separator + 3).split(" ", 1)[0];
    if (separator < 0 || (type !== "proc" && type !== "sysfs")) continue;
    const fields = line.split(" ", 5);
    const point = unescapeOctal(fields[4] ?? "");
    if (fields[3] === "/" && !`${point}/`.startsWith(`${rootfs}/`)) points.unshift(point);
  }
  return points;
}

/** The kernel writes blanks of paths as `\040`. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
