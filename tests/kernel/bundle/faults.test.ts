/**
 * bunker is killed, or a system call of it fails, at every step of create, start, exec and delete: `delete --force` and
 * `list` are the way out of all of it, and nothing is left: no process, mount, control group, directory.
 */
import { describe, expect } from "bun:test";
import { type Fault, type Point, pointsOf, runWithFault, spread } from "../../helpers/faults.ts";
import { readMachineState } from "../../helpers/machine_state.ts";
import { type Bundle, Runtime } from "../../helpers/oci_runtime.ts";
import type { Need } from "../../helpers/requires.ts";
import { NAMESPACES } from "../../helpers/runtime_bundle.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "the executable", "program busybox", "program strace"];

/** How many points a verb is hit at: a tenth of a second each. */
const POINTS_MAX = 100;
const TEST_MS_MAX = 240_000;
const SETTLE_MS = 10;
const SETTLE_STEPS_MAX = 1000;

const FAULTS: readonly (readonly [fault: Fault, calls: RegExp])[] = [
  ["signal=KILL", /./],
  ["error=ENOSPC", /^(write|pwrite64|mkdirat|openat|mknodat|renameat2|ftruncate|memfd_create)$/],
  ["error=EMFILE", /^(openat|openat2|socketpair|memfd_create|socket|pidfd_open|clone3|recvmsg|dup3)$/],
  ["error=EIO", /^(read|pread64|write|openat|renameat2|unlinkat|fstat|flock|lseek)$/],
];

/** One verb: what comes before it, and its words. */
interface Verb {
  readonly name: string;
  readonly before: readonly ("create" | "start")[];
  readonly wordsOf: (bundle: Bundle) => readonly string[];
}

const verbs: readonly Verb[] = [
  { name: "create", before: [], wordsOf: ({ id, directory }) => ["create", "--bundle", directory, id] },
  { name: "start", before: ["create"], wordsOf: ({ id }) => ["start", id] },
  { name: "exec", before: ["create", "start"], wordsOf: ({ id }) => ["exec", id, "/bin/true"] },
  { name: "delete", before: ["create", "start"], wordsOf: ({ id }) => ["delete", "--force", id] },
];

/** A container with a bit of everything that create makes. */
const makeBundle = (runtime: Runtime): Promise<Bundle> =>
  runtime.bundle({
    process: { args: ["/bin/sleep", "60"] },
    linux: {
      namespaces: [...NAMESPACES, { type: "network" }, { type: "cgroup" }],
      resources: { pids: { limit: 20 } },
      sysctl: { "kernel.msgmax": "5000" },
    },
  });

/** Brings the container to where the verb is used. */
async function prepare(runtime: Runtime, { before }: Verb, bundle: Bundle): Promise<void> {
  if (before.includes("create")) await runtime.create(bundle);
  if (before.includes("start")) {
    const { exitCode, messages } = await runtime.detached(bundle, "start", bundle.id);
    if (exitCode !== 0) throw new Error(messages);
  }
}

/** What is wrong after the way out was taken. */
async function leftAfter(runtime: Runtime, sandbox: Sandbox, bundle: Bundle): Promise<readonly string[]> {
  const first = await runtime.command("list");
  const state = await runtime.command("state", bundle.id);
  await reapOthers();
  const removed = await runtime.command("delete", "--force", bundle.id);
  const list = await runtime.command("list", "--quiet");
  const wrong = [
    ...(first.exitCode === 0 ? [] : [`list: ${first.stderr}`]),
    ...(state.exitCode === 0 || state.stderr.includes("does not exist") ? [] : [`state: ${state.stderr}`]),
    ...(removed.exitCode === 0 ? [] : [`delete: ${removed.stderr}`]),
    ...(list.exitCode === 0 && list.stdout === "" ? [] : [`list: ${list.stdout}${list.stderr}`]),
  ];
  return [...wrong, ...(await sandbox.leftBehind())];
}

/**
 * Waits, as their parent would, for what an engine that was killed has left: it ends by itself, but as long as nobody has
 * waited for it, it keeps its PID namespace from ending. The container's own process may stay.
 */
async function reapOthers(): Promise<void> {
  for (let rest = SETTLE_STEPS_MAX; readMachineState().processes.length > 1 && rest > 0; rest--)
    await Bun.sleep(SETTLE_MS);
}

async function hit(
  verb: Verb,
  fault: Fault,
  { sandbox, calls }: { readonly sandbox: Sandbox; readonly calls: RegExp },
) {
  await using runtime = new Runtime("bunker", sandbox);
  const bundle = await makeBundle(runtime);
  await prepare(runtime, verb, bundle);
  const words = runtime.words(...verb.wordsOf(bundle));
  const place = { anchor: sandbox.state, file: `${sandbox.directory}/trace` };
  const all = await pointsOf(words, place);
  const points = spread(
    all.filter(({ name }) => calls.test(name)),
    POINTS_MAX / (fault === "signal=KILL" ? 1 : 2),
  );
  await leftAfter(runtime, sandbox, bundle);
  const findings: Record<string, readonly string[]> = {};
  let survived = 0;
  for (const point of points) {
    await prepare(runtime, verb, bundle);
    if ((await runWithFault(words, point, fault)) === 0) survived++;
    const left = await leftAfter(runtime, sandbox, bundle);
    if (left.length > 0) findings[describePoint(point)] = left;
  }
  return { findings, hits: points.length, survived };
}

const describePoint = ({ name, when }: Point): string => `${name} #${when}`;

for (const verb of verbs) {
  describe(`a fault in ${verb.name}`, () => {
    for (const [fault, calls] of FAULTS) {
      kernelTest(
        `${fault} leaves a container that delete --force takes away, and nothing else`,
        NEEDS,
        async (sandbox) => {
          const { findings, hits, survived } = await hit(verb, fault, { sandbox, calls });

          expect(findings).toEqual({});
          expect(hits).toBeGreaterThan(3);
          expect(survived).toBeLessThan(hits);
        },
        TEST_MS_MAX,
      );
    }
  });
}
