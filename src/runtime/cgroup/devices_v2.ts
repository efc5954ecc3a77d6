/** Device rules of a group of version 2: one eBPF program, in the place of an earlier one. */
import {
  BPF_CGROUP_DEVICE,
  BPF_F_ALLOW_MULTI,
  BPF_F_REPLACE,
  BPF_PROG_TYPE_CGROUP_DEVICE,
} from "../../linux/abi/bpf.ts";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../linux/abi/fcntl.ts";
import {
  type BpfAttachment,
  bpfProgDetach,
  bpfProgGetFdById,
  bpfProgLoad,
  bpfProgQuery,
  tryBpfProgAttach,
} from "../../linux/bpf.ts";
import { SyscallError } from "../../linux/call.ts";
import { Fd, openat } from "../../linux/file.ts";
import { CgroupError } from "./cgroup_error.ts";
import { deviceProgram } from "./device_program.ts";
import type { FullDeviceRule } from "./device_rules.ts";

/** The helpers of GPL programs are not used; the license of this program is that of bunker. */
const LICENSE = "Apache-2.0";

/**
 * Makes `rules` those of the group at `directory`. There is no moment without rules when there were some before.
 * @throws {CgroupError} where bpf(2) is not to be had
 */
export function setDeviceRules(directory: string, rules: readonly FullDeviceRule[]): void {
  try {
    using target = new Fd(openat(AT_FDCWD, directory, { flags: O_RDONLY | O_DIRECTORY }));
    using program = new Fd(
      bpfProgLoad(deviceProgram(rules), {
        type: BPF_PROG_TYPE_CGROUP_DEVICE,
        attachType: BPF_CGROUP_DEVICE,
        license: LICENSE,
      }),
    );
    attach(program.number, { target: target.number, type: BPF_CGROUP_DEVICE });
  } catch (cause) {
    throw new CgroupError("Cannot set linux.resources.devices: the kernel refuses the program", { cause });
  }
}

function attach(program: number, place: BpfAttachment): void {
  using stack = new DisposableStack();
  const old = bpfProgQuery(place).map((id) => stack.use(new Fd(bpfProgGetFdById(id))).number);
  const [first] = old;
  if (old.length === 1 && first !== undefined) {
    const how = { flags: BPF_F_ALLOW_MULTI | BPF_F_REPLACE, replace: first };
    if (tryBpfProgAttach(program, place, how) === 0) return;
  }
  // Several programs all have to allow an access: while both are there, the stricter rules hold.
  const result = tryBpfProgAttach(program, place, { flags: BPF_F_ALLOW_MULTI });
  if (result < 0) {
    throw new SyscallError({ name: "bpf", text: "bpf(BPF_PROG_ATTACH, BPF_CGROUP_DEVICE)", errno: -result });
  }
  for (const fd of old) bpfProgDetach(fd, place);
}
