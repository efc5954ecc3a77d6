/**
 * Usage: bun run build [--target=bun-linux-arm64] [--outfile=dist/bunker]
 *
 * Compiles src/main.ts to one executable and hardens it: nothing of the working directory is read at start, and the
 * environment variables that would run other code inside it are overwritten in the file (SECURITY.md, The executable).
 */
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Glob } from "bun";

/** Names that Bun looks up in the environment, and how often each stands in its executable. */
const neutralised: Readonly<Record<string, number>> = {
  BUN_BE_BUN: 1,
  BUN_OPTIONS: 2,
  BUN_INSPECT_PRELOAD: 2,
};

const option = (name: string): string | undefined =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);

const outfile = option("outfile") ?? "dist/bunker";
const target = option("target");
compile(outfile, target);
harden(outfile);

function compile(path: string, platform: string | undefined): void {
  const flags = [
    "--compile",
    "--minify",
    "--bytecode",
    // In one file every import of node: modules is hoisted to the top, those of lazily loaded modules too: 6 ms.
    "--splitting",
    "--format=esm",
    // A start is over before compiled code pays: thresholds of 16 save 1.5 ms of processor time (ADR 0009), and what
    // really is hot, as a layer's archive, gets compiled all the same, some milliseconds later.
    "--compile-jit-policy=16",
    // What a start uses lies together (scripts/record_order.ts).
    "--bytecode-order=scripts/bytecode.order",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--no-compile-autoload-tsconfig",
    "--no-compile-autoload-package-json",
    ...(platform === undefined ? [] : [`--target=${platform}`]),
  ];
  // Code of threads is reached by its path in the executable, not by an import.
  const define = `BUNKER_BUILD=${JSON.stringify(hashOfSources())}`;
  const workers = [...new Glob("src/**/*_worker.ts").scanSync(".")].sort();
  const command = [
    process.execPath,
    "build",
    ...flags,
    "--define",
    define,
    "src/main.ts",
    ...workers,
    "--outfile",
    path,
  ];
  const { exitCode, stderr } = Bun.spawnSync(command, { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`Cannot compile: ${stderr.toString()}`);
}

/** Names the build: what is compiled by one is not taken for that of another (ADR 0008). */
function hashOfSources(): string {
  const hasher = new Bun.CryptoHasher("sha256").update(Bun.version);
  for (const path of [...new Glob("src/**/*.ts").scanSync(".")].sort())
    hasher.update(path).update(readFileSync(path));
  return hasher.digest("hex").slice(0, 16);
}

/** Replaces each name by one that nobody sets; the length stays. @throws {Error} when a count has changed. */
function harden(path: string): void {
  const file = readFileSync(path);
  for (const [name, expected] of Object.entries(neutralised)) {
    const found = overwrite(file, name);
    if (found !== expected) {
      throw new Error(`Cannot harden "${path}": "${name}" stands there ${found} times, expected ${expected}`);
    }
  }
  writeFileSync(`${path}.new`, file);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
}

function overwrite(file: Buffer, name: string): number {
  let count = 0;
  for (let at = file.indexOf(name); at >= 0; at = file.indexOf(name, at + 1)) {
    file.write("X".repeat(name.length), at, "latin1");
    count++;
  }
  return count;
}
