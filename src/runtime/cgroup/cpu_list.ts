/** Lists of processors and memory nodes as the kernel writes them: cpuset(7). */

/** Highest number that is read: more than the kernel can have (CONFIG_NR_CPUS). */
const NUMBER_MAX = 65_535;

/** `0-2,5` → 0 1 2 5; what is no list is left out. */
export function listOf(text: string | undefined): number[] {
  return (text ?? "")
    .trim()
    .split(",")
    .flatMap((range) => {
      const found = /^([0-9]+)(?:-([0-9]+))?$/.exec(range.trim());
      if (found === null) return [];
      const first = Number(found[1]);
      const last = Math.min(Number(found[2] ?? first), NUMBER_MAX);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
    });
}
