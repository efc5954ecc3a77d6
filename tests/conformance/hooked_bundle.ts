/** Bundles with hooks that write into a file, for the tests of hooks and of what follows when they fail. */
import { existsSync, readFileSync } from "node:fs";
import type { Bundle, Runtime } from "../helpers/oci_runtime.ts";
import type { ConfigPatch, Json } from "../helpers/runtime_bundle.ts";

/** All kinds, in their order. */
export const KINDS = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

export type Kind = (typeof KINDS)[number];

/** Those whose program is the host's. */
export const OF_HOST = KINDS.filter((kind) => kind !== "startContainer");

/** Those that run in the runtime's namespaces. */
export const IN_RUNTIME = ["prestart", "createRuntime", "poststart", "poststop"] as const;

/** How long a hook that nobody waits for may take. */
const WRITTEN_MS_MAX = 10_000;

export const sleeper: ConfigPatch = { process: { args: ["/bin/sleep", "60"] } };

/** A bundle with hooks of a shell's script each; `$OUT` is a file whose text {@link written} returns. */
export async function hooked(
  runtime: Runtime,
  scripts: Readonly<Partial<Record<Kind, string | readonly string[]>>>,
  patch: ConfigPatch = sleeper,
): Promise<Bundle> {
  const out = `${runtime.directory}/out`;
  const hook = (kind: string, script: string): Json => ({
    path: "/bin/sh",
    // crun dies of SIGPIPE when a hook has not read its state; a test of its own says so.
    args: ["sh", "-c", `trap 'cat > /dev/null' EXIT; ${script}`],
    // The root of a container is below the bundle; startContainer sees it as its own.
    env: [`OUT=${kind === "startContainer" ? "/srv/out" : out}`, "PATH=/bin:/usr/bin", `KIND=${kind}`],
  });
  const hooks = Object.entries(scripts).map(([kind, text]) => [
    kind,
    (typeof text === "string" ? [text] : text).map((script) => hook(kind, script)),
  ]);
  return runtime.bundle({ ...patch, hooks: Object.fromEntries(hooks) });
}

/** What hooks have written: those of the host, or with `bundle` the startContainer hooks of that one. */
export function written(runtime: Runtime, bundle?: Bundle): string {
  const path = bundle === undefined ? `${runtime.directory}/out` : `${bundle.root}/srv/out`;
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** The same of a runtime that does not wait for its hooks. */
export async function eventuallyWritten(runtime: Runtime, bundle: Bundle): Promise<string> {
  const end = Date.now() + WRITTEN_MS_MAX;
  while (written(runtime, bundle) === "" && Date.now() < end) await Bun.sleep(10);
  return written(runtime, bundle);
}

/** Creates, starts, ends and deletes, and tells what had been written after each. */
export async function live(runtime: Runtime, bundle: Bundle): Promise<readonly string[]> {
  const container = await runtime.create(bundle);
  const created = written(runtime);
  await container.start();
  const started = written(runtime);
  await container.kill("KILL");
  await container.ended();
  const ended = written(runtime);
  const { exitCode, stderr } = await container.delete();
  if (exitCode !== 0) throw new Error(`delete ended with ${exitCode}: ${stderr}`);
  return [created, started, ended, written(runtime)];
}
