/** What the kernel holds of connections on loopback: whether what one end has written was taken by the other. */
import { readFileSync } from "node:fs";

const LOOK_MS = 5;

/** Bytes that lie in queues of connections to or from a port of this machine, by IPv4 (proc_net_tcp.rst). */
function bytesUnderWay(port: number): number {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  return lines.reduce((sum, line) => {
    const [, local = "", remote = "", state, queues = ""] = line.trim().split(/\s+/);
    const isListening = state === "0A";
    if (isListening || !(local.endsWith(hex) || remote.endsWith(hex))) return sum;
    return sum + queues.split(":").reduce((size, text) => size + Number.parseInt(text, 16), 0);
  }, 0);
}

/** Waits until all of it is taken, or for `msMax`: who takes nothing may want to. */
export async function untilTaken(port: number, msMax: number): Promise<void> {
  for (const end = Date.now() + msMax; bytesUnderWay(port) > 0 && Date.now() < end; )
    await Bun.sleep(LOOK_MS);
}
