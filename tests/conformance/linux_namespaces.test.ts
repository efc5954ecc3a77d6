/** config-linux.md, Namespaces: new, joined, inherited, refused. */
import { describe, expect } from "bun:test";
import { readlinkSync } from "node:fs";
import type { Container, Runtime } from "../helpers/oci_runtime.ts";
import { type Json, NAMESPACES } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

/** Names of the specification, and of /proc/PID/ns. */
const FILES: Readonly<Record<string, string>> = {
  pid: "pid",
  network: "net",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
};

const sleeper = { process: { args: ["/bin/sleep", "60"] } };
const withNamespaces = (namespaces: readonly Json[]): { readonly linux: Json } => ({ linux: { namespaces } });
const inside = (file: string): string => `readlink /proc/self/ns/${file}`;
const own = (file: string): string => `${readlinkSync(`/proc/self/ns/${file}`)}\n`;

async function pathOf(container: Container, file: string): Promise<string> {
  return `/proc/${(await container.state()).pid}/ns/${file}`;
}

/** Another container, with namespaces of all types that can be joined alone. */
function other(runtime: Runtime): Promise<Container> {
  return runtime.create({
    ...sleeper,
    ...withNamespaces(Object.keys(FILES).map((type) => ({ type }))),
    hostname: "other",
  });
}

describe("config-linux.md#namespaces", () => {
  conformanceTest("are new for each type that is listed without a path", [], async (runtime) => {
    const types = Object.keys(FILES);
    const sh = types.map((type) => inside(FILES[type] as string)).join("; ");

    const output = await runtime.output({ sh, ...withNamespaces(types.map((type) => ({ type }))) });

    const seen = output.trim().split("\n");
    types.forEach((type, index) => {
      expect(seen[index]).toMatch(new RegExp(`^${FILES[type]}:\\[\\d+\\]$`));
      expect(`${seen[index]}\n`).not.toBe(own(FILES[type] as string));
    });
  });

  conformanceTest("are the runtime's for each type that is not listed", [], async (runtime) => {
    const files = ["net", "ipc", "uts", "cgroup", "user", "time", "pid"];

    const output = await runtime.output({
      sh: files.map(inside).join("; "),
      ...withNamespaces([{ type: "mount" }]),
    });

    expect(output).toBe(files.map(own).join(""));
  });

  conformanceTest("of processes begin with the container's process as 1", [], async (runtime) => {
    expect(await runtime.output({ sh: "echo $$; ls -d /proc/[0-9]* | wc -l" })).toMatch(/^1\n[1-4]\n$/);
  });

  conformanceTest("of the network have a loopback and nothing of the host", [], async (runtime) => {
    const namespaces = withNamespaces([...NAMESPACES, { type: "network" }]);

    const output = await runtime.output({
      sh: "tail -n +3 /proc/net/dev | cut -d: -f1 | xargs",
      ...namespaces,
    });

    expect(output).toBe("lo\n");
  });

  conformanceTest("of the cgroups show the container's own as the root", [], async (runtime) => {
    const namespaces = withNamespaces([...NAMESPACES, { type: "cgroup" }]);

    const output = await runtime.output({
      sh: "grep -E ':(pids|memory):|^0::' /proc/self/cgroup",
      ...namespaces,
    });

    expect(
      output
        .trim()
        .split("\n")
        .filter((line) => !line.startsWith("0::"))
        .every((line) => line.endsWith(":/")),
    ).toBe(true);
  });

  conformanceTest("with a path are joined: network, ipc, uts", [], async (runtime) => {
    const container = await other(runtime);
    const paths = new Map<string, string>();
    for (const file of ["net", "ipc", "uts"]) paths.set(file, await pathOf(container, file));

    const output = await runtime.output({
      sh: `${inside("net")}; ${inside("ipc")}; ${inside("uts")}; hostname`,
      ...withNamespaces([
        { type: "pid" },
        { type: "mount" },
        { type: "network", path: paths.get("net") },
        { type: "ipc", path: paths.get("ipc") },
        { type: "uts", path: paths.get("uts") },
      ]),
    });

    expect(output).toBe(`${[...paths.values()].map((path) => `${readlinkSync(path)}\n`).join("")}other\n`);
  });

  conformanceTest("with a path are joined: pid, so that both see each other", [], async (runtime) => {
    const container = await other(runtime);
    const path = await pathOf(container, "pid");

    const output = await runtime.output({
      sh: `${inside("pid")}; ls -d /proc/1; test $$ -ne 1 && echo later`,
      ...withNamespaces([{ type: "mount" }, { type: "pid", path }]),
    });

    expect(output).toBe(`${readlinkSync(path)}\n/proc/1\nlater\n`);
  });

  conformanceTest("with a path are joined: cgroup", [], async (runtime) => {
    const path = await pathOf(await other(runtime), "cgroup");

    const output = await runtime.output({
      sh: inside("cgroup"),
      ...withNamespaces([...NAMESPACES, { type: "cgroup", path }]),
    });

    expect(output).toBe(`${readlinkSync(path)}\n`);
  });

  conformanceTest("with a path of another type are refused", [], async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      ...withNamespaces([...NAMESPACES, { type: "network", path: "/proc/self/ns/uts" }]),
    });
  });

  conformanceTest("with a path that is not there are refused", [], async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      ...withNamespaces([...NAMESPACES, { type: "network", path: "/no/such/namespace" }]),
    });
  });

  conformanceTest("with a path of an ordinary file are refused", [], async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      ...withNamespaces([...NAMESPACES, { type: "network", path: "/etc/hostname" }]),
    });
  });

  conformanceTest("with a relative path are refused", [], async (runtime) => {
    await runtime.refusal({
      ...sleeper,
      ...withNamespaces([...NAMESPACES, { type: "network", path: "../../proc/1/ns/net" }]),
    });
  });

  conformanceTest("listed twice are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, ...withNamespaces([...NAMESPACES, { type: "uts" }]) });
  });

  conformanceTest("namespaces of a type that does not exist are refused", [], async (runtime) => {
    await runtime.refusal({ ...sleeper, ...withNamespaces([...NAMESPACES, { type: "no-such" }]) });
  });
});
