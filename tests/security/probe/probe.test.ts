/**
 * What root of a container can do under bunker is no more than under podman with its own runtime: `bunker run` with its
 * defaults, and podman with `bunker oci` in the place of crun.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { runPiped } from "../../helpers/pipes.ts";
import { executable, type Need, titleOf, whyMissing } from "../../helpers/requires.ts";
import { writeBundle } from "../../helpers/runtime_bundle.ts";
import { Sandbox } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "../../kernel/run/app.ts";
import { type Findings, HIDDEN, parseFindings, probeFiles } from "./probe.ts";

const NEEDS: readonly Need[] = [...RUN_NEEDS, "x86-64", "the executable", "program podman", "program crun"];
const reason = whyMissing(NEEDS);
const PROBE_MS_MAX = 60_000;
const GROUP = `probe-${process.pid}`;
/** Calls that came after Debian 12's profile: futex_waitv is the first. */
const KNOWN_CALLS = 449;
/** landlock_restrict_self: the kernel itself refuses it (EPERM) to those without no_new_privs, as podman's are. */
const NEEDS_NO_NEW_PRIVS = 446;
/** EPERM and ENOSYS: the verdicts of both profiles. */
const VERDICTS = new Set([1, 38]);

let podman: Findings;
const ours: Record<string, Findings> = {};
let directory = "";

beforeAll(async () => {
  if (reason !== undefined) return;
  directory = mkdtempSync(`${tmpdir()}/bunker-probe-`);
  await writeBundle(`${directory}/bundle`, "probe", {});
  for (const { name, data, mode } of probeFiles())
    writeFileSync(`${directory}/bundle/rootfs/${name}`, data, { mode });
  podman = await probePodman("crun");
  symlinkSync(executable, `${directory}/bunker-oci`);
  ours["podman with bunker oci"] = await probePodman(`${directory}/bunker-oci`);
  ours["bunker run"] = await probeRun();
}, PROBE_MS_MAX);

afterAll(() => {
  if (directory === "") return;
  rmSync(directory, { recursive: true, force: true });
  for (const hierarchy of ["", ...readdirSync("/sys/fs/cgroup")])
    removeGroups(`/sys/fs/cgroup/${hierarchy}/${GROUP}`);
});

function removeGroups(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeGroups(`${path}/${entry.name}`);
    }
    rmdirSync(path);
  } catch {
    // Not in this hierarchy.
  }
}

/** In a mount namespace of its own: its store is mounted, and crun cannot do with both versions of control groups. */
async function probePodman(runtime: string): Promise<Findings> {
  const store = mkdtempSync(`${directory}/store-`);
  mkdirSync(`${store}/tmp`);
  const places = ["--root", `${store}/root`, "--runroot", `${store}/run`, "--tmpdir", `${store}/tmp`];
  const global = [...places, "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--runtime", runtime];
  const flags = [
    "--rm",
    "--network=none",
    `--cgroup-parent=/${GROUP}`,
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
  ];
  const words = ["podman", ...global, "run", ...flags, "--rootfs", `${directory}/bundle/rootfs`, "/probe"];
  const own = [
    "unshare",
    "--mount",
    "--propagation",
    "slave",
    "sh",
    "-c",
    'umount /sys/fs/cgroup/unified 2> /dev/null; exec "$@"',
    "sh",
  ];
  return findingsOf(await runPiped([...own, ...words], { timeoutMs: PROBE_MS_MAX }));
}

async function probeRun(): Promise<Findings> {
  await using sandbox = new Sandbox();
  const entries = probeFiles().map(({ name, data, mode }) => ({ name, data: Buffer.from(data), mode }));
  const app = await App.install(sandbox, { entries });
  return findingsOf(await app.run(["--network", "none"], ["/probe"], { timeoutMs: PROBE_MS_MAX }));
}

function findingsOf({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): Findings {
  try {
    return parseFindings(stdout);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${stderr}`);
  }
}

const bits = (set: string | undefined): bigint => BigInt(`0x${set ?? "ffffffffffffffff"}`);
const isRefused = (status: number): boolean => (status & 0x7f) === 0 && VERDICTS.has(status >> 8);
/** What one list has and the other has not. */
const more = (one: readonly string[], other: readonly string[]): readonly string[] =>
  one.filter((value) => !other.includes(value));

describe.each(["podman with bunker oci", "bunker run"])("%s", (name) => {
  const probeTest = (title: string, body: (own: Findings) => void): void =>
    test.skipIf(reason !== undefined)(titleOf(title, reason), () => body(ours[name] as Findings));

  probeTest("gives no capability that podman does not give", ({ status }) => {
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      expect(bits(status[set]) & ~bits(podman.status[set])).toBe(0n);
    }
  });

  probeTest("filters system calls, and sets no_new_privs where podman does", ({ status }) => {
    expect(status["Seccomp"]).toBe("2");
    expect(Number(status["NoNewPrivs"])).toBeGreaterThanOrEqual(Number(podman.status["NoNewPrivs"]));
  });

  probeTest("refuses every system call that podman refuses", ({ calls }) => {
    const looser = calls.flatMap((status, number) =>
      number < KNOWN_CALLS &&
      number !== NEEDS_NO_NEW_PRIVS &&
      isRefused(podman.calls[number] ?? 0) &&
      !isRefused(status)
        ? [number]
        : [],
    );

    expect(calls.filter(isRefused).length).toBeGreaterThan(30);
    expect(looser).toEqual([]);
  });

  probeTest("hides every path that podman hides", ({ hidden }) => {
    const open = HIDDEN.filter((path) => hidden[path] === "readable" && podman.hidden[path] !== "readable");

    expect(open).toEqual([]);
  });

  probeTest("lets no file be opened for writing that podman does not", ({ writable }) => {
    expect(more(writable, podman.writable)).toEqual([]);
  });

  probeTest("opens and makes no device that podman does not", ({ devices, made }) => {
    expect(devices).toContain("1:3");
    expect(more(devices, podman.devices)).toEqual([]);
    expect(made).toEqual([]);
  });

  probeTest(
    "leaves no descriptor, socket, or namespace of the host",
    ({ descriptors, sockets, namespaces }) => {
      // The script itself is open in its shell.
      expect(more(descriptors, ["0", "1", "2", "3", "10", "*"])).toEqual([]);
      expect(more(descriptors, podman.descriptors)).toEqual([]);
      expect(sockets).toEqual([]);
      for (const kind of ["mnt", "pid", "uts", "ipc", "net"]) {
        const { stdout } = Bun.spawnSync(["readlink", `/proc/self/ns/${kind}`]);
        expect(namespaces[kind]).not.toBe(stdout.toString().trim());
      }
    },
  );
});

describe("bunker run by its defaults", () => {
  test.skipIf(reason !== undefined)(titleOf("hides all, and sets no_new_privs", reason), () => {
    const own = ours["bunker run"] as Findings;

    expect(own.status["NoNewPrivs"]).toBe("1");
    expect(HIDDEN.filter((path) => own.hidden[path] === "readable" && path !== "/sys/dev/block")).toEqual([]);
    expect(own.writable).toEqual([]);
  });
});
