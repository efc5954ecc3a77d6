/** Kernel parameters of a container's namespaces, as `linux.sysctl` sets them. */
import { describe, expect } from "bun:test";
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS } from "../../../src/linux/abi/sched.ts";
import { runProcess } from "../../helpers/bundle_process.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const namespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

describe("planSysctls()", () => {
  kernelTest("sets parameters of the network, IPC and UTS namespaces", ["root"], async () => {
    const sysctl = {
      "net.ipv4.ip_forward": "1",
      "net.ipv4.ping_group_range": "0 5",
      "net/ipv4/conf/lo/forwarding": "1",
      "kernel.shm_rmid_forced": "1",
      "kernel.msgmax": "9000",
      "kernel.domainname": "bunker.test",
      "fs.mqueue.msg_max": "20",
      "net.ipv4.tcp_wmem": "4095 16385",
    };
    const script = `cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/ping_group_range net/ipv4/conf/lo/forwarding \
      kernel/shm_rmid_forced kernel/msgmax kernel/domainname fs/mqueue/msg_max; cut -f1,2 net/ipv4/tcp_wmem`;

    const { stdout, failure } = await runProcess({ linux: { sysctl }, namespaces, script });

    expect(failure).toBeUndefined();
    expect(stdout.split("\n")).toEqual([
      "1",
      "0\t5",
      "1",
      "1",
      "9000",
      "bunker.test",
      "20",
      "4095\t16385",
      "",
    ]);
  });

  kernelTest("names a parameter that the kernel does not have", ["root"], async () => {
    const { failure } = await runProcess({ linux: { sysctl: { "net.ipv4.none": "1" } }, namespaces });

    expect([failure?.step.purpose, failure?.errno]).toEqual([
      'set the kernel parameter "net.ipv4.none" to "1"',
      2,
    ]);
  });

  kernelTest("refuses a start with another value than was asked for", ["root"], async () => {
    // The kernel takes a range that ends before it begins, and makes an empty one of it.
    const { failure } = await runProcess({
      linux: { sysctl: { "net.ipv4.ping_group_range": "5 2" } },
      namespaces,
    });

    expect([failure?.step.name, failure?.errno]).toEqual(["add", 18]);
  });
});
