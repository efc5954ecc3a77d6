/** The order of a container's steps is its security: what may still be done after which step. */
import { describe, expect, test } from "bun:test";
import { explainProgram } from "../../../src/linux/explain.ts";
import type { Step } from "../../../src/linux/step.ts";
import { explainableProgram } from "../../../src/runtime/compiled_container.ts";
import type { HostPlan } from "../../../src/runtime/container_plan.ts";
import { ALL_CAPABILITIES, DEFAULT_CAPABILITIES } from "../../../src/runtime/security/capability.ts";
import type { Process, Spec } from "../../../src/runtime/spec/config.ts";

describe("planContainer()", () => {
  test("calls nothing but execve and exit_group after the seccomp filter", async () => {
    const steps = await planned();

    const after = namesAfter(steps, "seccomp").filter((name) => !isOperation(name));

    expect(new Set(after)).toEqual(new Set(["execve", "exit_group"]));
  });

  test("loads the filter while CAP_SYS_ADMIN is held when new privileges are allowed", async () => {
    const steps = await planned({ process: { noNewPrivileges: false } });

    const names = steps.map(({ name }) => name);

    expect(names.indexOf("seccomp")).toBeLessThan(names.indexOf("capset"));
  });

  test("closes every other descriptor before it enters the working directory", async () => {
    const steps = await planned({ process: { cwd: "/proc/self/fd/7" } });

    const close = steps.findIndex(({ name }) => name === "close_range");
    const enter = steps.findIndex(({ name, args }) => name === "chdir" && args[0] === "/proc/self/fd/7");

    expect(close).toBeGreaterThan(0);
    expect(enter).toBeGreaterThan(close);
    expect(namesAfter(steps, "close_range")).not.toContain("openat");
  });

  test("drops from the bounding set what the container is not to have, and no more", async () => {
    const steps = await planned();

    const dropped = steps
      .filter(({ name, args }) => name === "prctl" && args[0] === 24)
      .map(({ args }) => args[1]);

    const kept = Array.from({ length: 41 }, (_, bit) => bit).filter((bit) => !dropped.includes(bit));
    expect(kept.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n)).toBe(DEFAULT_CAPABILITIES);
  });

  test("changes groups before the group, and the group before the user", async () => {
    const names = (await planned()).map(({ name }) => name);

    const order = ["setgroups", "setresgid", "setresuid", "capset"].map((name) =>
      names.indexOf(name as "read"),
    );

    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(names.indexOf("pivot_root"));
  });

  test("opens host paths of bind mounts before the root is mounted", async () => {
    const bind = { destination: "/data", type: "bind", source: "/srv", options: ["rbind"] };
    const steps = await planned({ mounts: [bind] });

    const open = steps.findIndex(({ name, args }) => name === "open_tree" && args[1] === "/srv");

    expect(open).toBeGreaterThan(0);
    expect(open).toBeLessThan(steps.findIndex(({ name }) => name === "fsopen"));
  });

  test("mounts by descriptors alone once the root is mounted", async () => {
    const steps = await planned();

    const attached = steps.filter(({ name, args }) => name === "move_mount" && typeof args[3] === "string");

    // The first attaches the root itself to the directory that it covers.
    expect(attached.map(({ args }) => args[3]).filter((path) => path !== "")).toEqual([".", "."]);
  });

  test("looks the command up in the PATH of the container's environment", async () => {
    const steps = await planned({ process: { args: ["tool"], env: ["PATH=/a:/b"] } });

    const tried = steps.filter(({ name }) => name === "execve").map(({ args }) => args[0]);

    expect(tried).toEqual(["/a/tool", "/b/tool"]);
  });

  test("shows no value of the environment when it is explained", async () => {
    const program = await explainableProgram(spec({ process: { env: ["PASSWORD=secret"] } }), host);

    const text = explainProgram(program);

    expect(text).toContain("[/* 2 vars */]");
    expect(text).not.toContain("secret");
  });

  test("is explained step by step, with a heading for each purpose", async () => {
    const program = await explainableProgram(spec({}), host);

    const text = explainProgram(program);

    expect(text).toContain("# mount the image's layers\n");
    expect(text).toContain("fsconfig($");
    expect(text.match(/^ *\d+ {2}/gm)).toHaveLength(program.steps.length);
  });
});

const isOperation = (name: string): boolean => ["field", "add", "return"].includes(name);

/** Names of the steps after the last one called `name`. */
function namesAfter(steps: readonly Step[], name: string): string[] {
  return steps.slice(steps.findLastIndex((step) => step.name === name) + 1).map((step) => step.name);
}

interface Changes {
  readonly process?: Partial<Process>;
  readonly mounts?: Spec["mounts"];
}

async function planned(changes: Changes = {}): Promise<readonly Step[]> {
  return (await explainableProgram(spec(changes), host)).steps;
}

function spec({ process = {}, mounts = [] }: Changes): Spec {
  return {
    process: {
      terminal: false,
      args: ["/bin/true"],
      env: [],
      cwd: "/",
      user: undefined,
      capabilities: DEFAULT_CAPABILITIES,
      rlimits: [{ resource: 7, soft: 1024, hard: 4096 }],
      noNewPrivileges: true,
      ...process,
    },
    root: { readonly: false },
    hostname: "box",
    mounts,
    linux: {
      namespaces: 0,
      uidMappings: [],
      gidMappings: [],
      devices: [{ path: "/dev/null", major: 1, minor: 3, fileMode: 0o666 }],
      maskedPaths: ["/proc/kcore"],
      readonlyPaths: ["/proc/sys"],
      resources: {},
    },
  };
}

const host: HostPlan = {
  root: {
    kind: "overlay",
    directory: "/var/lib/bunker",
    lower: ["l/a", "base"].map((path) => ({ path, isImage: false })),
    scratch: "c/0123456789ab/rw",
    userxattr: false,
    nodev: false,
    appendLayers: true,
    tellsUpper: false,
  },
  files: [{ path: "/etc/hostname", content: "box\n" }],
  cgroupProcs: 1,
  captured: false,
  cgroupMounts: ["pids"],
  seccompFilter: new Uint8Array(16),
  ignoredSignals: [13],
  hostBounding: ALL_CAPABILITIES,
  setgroupsAllowed: true,
  ttyGid: 5,
  stdin: false,
  init: false,
  writableKernel: false,
};
