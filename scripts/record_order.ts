/**
 * Usage: sudo bun run scripts/record_order.ts
 *
 * Writes scripts/bytecode.order: the functions that an OCI runtime's commands use, in the order of their use. The build lays
 * them out together, which saves each start 0.8 to 1.1 ms of processor time (measured). Functions are known by a hash of
 * their syntax: what has changed since is only slower, so this need not be done for every change.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ORDER = join(import.meta.dir, "bytecode.order");
const ID = "recorded";
const COMMAND_MS_MAX = 10_000;

/** In the recorded executable: Bun writes what it has recorded on its own way out only. */
const EXIT = "export const exitNow = (code) => process.exit(code);";

const directory = mkdtempSync(join(tmpdir(), "bunker-order-"));
try {
  const executable = join(directory, "bunker");
  await compile(executable);
  writeFileSync(ORDER, merge(record(executable)));
} finally {
  rmSync(directory, { recursive: true });
}

async function compile(outfile: string): Promise<void> {
  const result = await Bun.build({
    entrypoints: ["src/main.ts"],
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
    minify: true,
    bytecode: true,
    splitting: true,
    format: "esm",
    // Programs are kept by a build that has a name, so that the second of each command takes the kept one.
    define: { BUNKER_BUILD: '"recording"' },
    plugins: [
      {
        name: "exit",
        setup: (build) =>
          void build.onLoad({ filter: /linux\/exit\.ts$/ }, () => ({ contents: EXIT, loader: "ts" })),
      },
    ],
  });
  if (!result.success) throw new AggregateError(result.logs, "Cannot compile");
}

/** Runs each command of a container's life once to compile its program, and once more. @returns the recordings, the hottest first */
function record(executable: string): readonly string[] {
  const bundle = makeBundle(executable);
  const oci = (name: string, ...words: readonly string[]): string => {
    const file = join(directory, name);
    // No pipes: a container that goes on would hold them open.
    const { exitCode } = Bun.spawnSync([executable, "oci", "--root", join(directory, "state"), ...words], {
      cwd: bundle,
      env: { ...process.env, BUN_BYTECODE_ORDER_OUT: file },
      stdio: ["ignore", "ignore", "inherit"],
      timeout: COMMAND_MS_MAX,
    });
    if (exitCode !== 0) throw new Error(`Cannot record ${words.join(" ")}: it ended with ${exitCode}`);
    return file;
  };
  const round = (number: number): string[] => [
    oci(`run-${number}`, "run", ID),
    oci(`create-${number}`, "create", ID),
    oci(`start-${number}`, "start", ID),
    oci(`exec-${number}`, "exec", ID, "/bin/busybox", "true"),
    oci(`delete-${number}`, "delete", "--force", ID),
  ];
  const first = round(1);
  return [...round(2), ...first];
}

function makeBundle(executable: string): string {
  const busybox = Bun.which("busybox");
  if (busybox === null) throw new Error("Cannot make a bundle: busybox is not installed");
  const bundle = join(directory, "bundle");
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  for (const name of ["dev", "proc", "sys"]) mkdirSync(join(bundle, "rootfs", name));
  copyFileSync(busybox, join(bundle, "rootfs/bin/busybox"));
  Bun.spawnSync([executable, "oci", "spec"], { cwd: bundle });
  const path = join(bundle, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  Object.assign(config.process, { terminal: false, args: ["/bin/busybox", "sleep", "1"] });
  writeFileSync(path, JSON.stringify(config));
  return bundle;
}

/** The lines of functions alone: those of strings and keys make the file fifteen times as large, and gain nothing. */
function merge(files: readonly string[]): string {
  const texts = files.map((file) => readFileSync(file, "utf8").split("\n"));
  const version = texts[0]?.[0] ?? "";
  const functions = texts.flatMap((lines) => lines.filter((line) => line.startsWith("F ")));
  return `${[version, ...new Set(functions)].join("\n")}\n`;
}
