/** Processor time, for what must be quick: on a machine with much to do a clock tells how much that is. */

/** Milliseconds that `work` takes of the processors, in all threads of this process. */
export function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
