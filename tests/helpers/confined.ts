/**
 * The sandboxes that bunker is run in: system calls that are refused, the capabilities that docker gives with
 * `--cap-add SYS_ADMIN`, a data directory on overlayfs. Each is a prefix of a command.
 */
import { numbers, type SyscallName } from "../../src/linux/abi/numbers.ts";
import { SECCOMP_RET_ALLOW } from "../../src/linux/abi/seccomp.ts";
import type { Need } from "./requires.ts";

/** What the prefixes need. */
export const CONFINED_NEEDS: readonly Need[] = [
  "root",
  "program python3",
  "program setpriv",
  "program unshare",
];

const CONFINE = new URL("confine.py", import.meta.url).pathname;

/** Capabilities that docker gives with SYS_ADMIN added, for setpriv(1). */
const DOCKER_CAPABILITIES =
  "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,net_bind_service,sys_chroot,kill," +
  "audit_write,sys_admin";

const BPF_LD_W_ABS = 0x20;
const BPF_JEQ = 0x15;
const BPF_RET = 0x06;
const SECCOMP_RET_ERRNO = 0x0005_0000;

/** Answers system calls with error numbers. */
export function refusing(errnos: Readonly<Partial<Record<SyscallName, number>>>): string[] {
  const machine = process.arch === "arm64" ? 1 : 0;
  const program = [instruction(BPF_LD_W_ABS, 0, 0)];
  for (const [name, errno] of Object.entries(errnos)) {
    program.push(instruction(BPF_JEQ, numbers[name as SyscallName][machine], 1));
    program.push(instruction(BPF_RET, SECCOMP_RET_ERRNO | errno, 0));
  }
  program.push(instruction(BPF_RET, SECCOMP_RET_ALLOW, 0));
  return ["/usr/bin/python3", CONFINE, program.join("")];
}

/** struct sock_filter in hexadecimal digits; `jf` is the number of instructions to skip when a comparison fails. */
function instruction(code: number, k: number, jf: number): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint16(0, code, true);
  bytes.setUint8(3, jf);
  bytes.setUint32(4, k, true);
  return new Uint8Array(bytes.buffer).toHex();
}

/** With docker's capabilities and SYS_ADMIN. */
export const dockerCapabilities: readonly string[] = [
  "setpriv",
  `--bounding-set=-all,${DOCKER_CAPABILITIES.split(",")
    .map((name) => `+${name}`)
    .join(",")}`,
];

/** With `directory` on `depth` overlays that lie one above another, whose parts are made below `scratch`. */
export function onOverlay(directory: string, scratch: string, depth: 1 | 2): string[] {
  const layers = Array.from({ length: depth }, (_, level) => {
    // A tmpfs for each: an upper directory cannot lie on an overlay.
    const place = `${scratch}/overlay-${level}`;
    const options = `lowerdir=${directory},upperdir=${place}/upper,workdir=${place}/work`;
    return (
      `mkdir -p ${place} && mount -t tmpfs tmpfs ${place} && mkdir ${place}/upper ${place}/work && ` +
      `mount -t overlay overlay -o ${options} ${directory}`
    );
  });
  return ["unshare", "--mount", "sh", "-c", `${layers.join(" && ")} && exec "$@"`, "sh"];
}
