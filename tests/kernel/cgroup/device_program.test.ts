/** Device rules of version 2 in the kernel: the program needs no controller, so a hierarchy beside version 1 will do. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import type { DeviceRule } from "../../../src/oci/bundle/config.ts";
import { deviceRules } from "../../../src/runtime/cgroup/device_rules.ts";
import { setDeviceRules } from "../../../src/runtime/cgroup/devices_v2.ts";
import { GROUP_NEEDS, until } from "../../helpers/group.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const ROOT = existsSync("/sys/fs/cgroup/unified/cgroup.procs") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };
const KMSG: DeviceRule = { allow: true, type: "c", major: 1, minor: 11, access: "r" };

/** What opening /dev/kmsg and /dev/zero says in a group with these lists, set one after the other. */
async function openDevices(...lists: readonly (readonly DeviceRule[])[]): Promise<string> {
  const group = `${ROOT}/bunker-devices-${process.pid}`;
  mkdirSync(group);
  try {
    for (const devices of lists) setDeviceRules(group, deviceRules({ devices }));
    const script = `echo 0 > ${group}/cgroup.procs
      for mode in '<' '<>'; do for name in kmsg zero; do
        sh -c "exec 3$mode/dev/$name" 2> /dev/null && echo "$name $mode yes" || echo "$name $mode no"
      done; done`;
    const shell = Bun.spawn(["/bin/sh", "-c", script], { stdin: "ignore" });
    const output = await new Response(shell.stdout).text();
    await shell.exited;
    return output.trim().split("\n").join(", ");
  } finally {
    await until("the group is empty", () => {
      try {
        rmdirSync(group);
        return true;
      } catch {
        return false;
      }
    });
  }
}

describe(titleOf("setDeviceRules()", whyMissing(GROUP_NEEDS)), () => {
  kernelTest("refuses what no rule allows", ["root"], async () => {
    expect(await openDevices([DENY_ALL])).toBe("kmsg < no, zero < yes, kmsg <> no, zero <> yes");
  });

  kernelTest("tells reading from writing", ["root"], async () => {
    expect(await openDevices([DENY_ALL, KMSG])).toBe("kmsg < yes, zero < yes, kmsg <> no, zero <> yes");
  });

  kernelTest("allows everything to a privileged container", ["root"], async () => {
    expect(await openDevices([{ allow: true }])).toBe("kmsg < yes, zero < yes, kmsg <> yes, zero <> yes");
  });

  kernelTest("replaces earlier rules", ["root"], async () => {
    expect(await openDevices([DENY_ALL], [{ allow: true }], [DENY_ALL, KMSG])).toStartWith("kmsg < yes");
    expect(await openDevices([{ allow: true }], [DENY_ALL])).toStartWith("kmsg < no");
  });
});
