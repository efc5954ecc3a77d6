/** What every container gets: devices, namespaces, control group rules (ARCHITECTURE.md, Defaults). */
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../linux/abi/sched.ts";
import type { Device } from "../runtime/spec/config.ts";

/** Most processes of a container that asks for no other limit: a fork bomb stays its own problem. */
export const PIDS_LIMIT = 2048;

/** config-linux.md#default-devices */
export const defaultDevices: readonly Device[] = [
  { path: "/dev/null", major: 1, minor: 3, fileMode: 0o666 },
  { path: "/dev/zero", major: 1, minor: 5, fileMode: 0o666 },
  { path: "/dev/full", major: 1, minor: 7, fileMode: 0o666 },
  { path: "/dev/random", major: 1, minor: 8, fileMode: 0o666 },
  { path: "/dev/urandom", major: 1, minor: 9, fileMode: 0o666 },
  { path: "/dev/tty", major: 5, minor: 0, fileMode: 0o666 },
];

/** Rules of the version 1 device controller: any node may be made, only these opened. */
export const defaultDeviceRules: readonly string[] = [
  "c *:* m",
  "b *:* m",
  "c 1:3 rwm",
  "c 1:5 rwm",
  "c 1:7 rwm",
  "c 1:8 rwm",
  "c 1:9 rwm",
  "c 5:0 rwm",
  "c 5:1 rwm",
  "c 5:2 rwm",
  "c 136:* rwm",
];

/** Namespaces of a container; the control group's is unshared by the program after it has joined its group. */
export function namespaces({ userns, network }: { userns: boolean; network: "host" | "none" }): number {
  return (
    CLONE_NEWNS |
    CLONE_NEWPID |
    CLONE_NEWUTS |
    CLONE_NEWIPC |
    (userns ? CLONE_NEWUSER : 0) |
    (network === "none" ? CLONE_NEWNET : 0)
  );
}
