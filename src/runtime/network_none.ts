/** `--network none`: a network namespace of its own in which only the loopback interface is up: netdevice(7). */
import type { Program } from "../linux/program.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP_RUNNING = 0x41;
/** struct ifreq: 16 bytes name, then the flags in a union of 24 bytes. */
const IFREQ_SIZE = 40;

/** Sets the loopback interface up. */
export function planLoopback(program: Program): void {
  const request = new Uint8Array(IFREQ_SIZE);
  request.set([0x6c, 0x6f]); // "lo"
  request[16] = IFF_UP_RUNNING;
  program.section("set the loopback interface up");
  program.ioctl(program.step("socket", AF_INET, SOCK_DGRAM, 0).result, SIOCSIFFLAGS, request);
}
