/**
 * What tests of the whole program share: a sandbox, a registry on loopback, and a configuration in which that registry
 * stands for Docker Hub, so that no test asks for the name of another machine; and the program's messages taken apart.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { BunkerOptions } from "./bunker.ts";
import { type FakeRegistry, type RegistryOptions, serveRegistry } from "./fake_registry.ts";
import { writeMirrorConfig } from "./hub.ts";
import type { BuiltDocument } from "./image_builder.ts";
import type { PipedResult } from "./pipes.ts";
import type { Need } from "./requires.ts";
import type { Sandbox } from "./sandbox.ts";
import { type NodeSnapshot, snapshotTree, type TreeSnapshot } from "./tree_snapshot.ts";

/** What every test with the compiled executable needs to pull. */
export const PULL_NEEDS: readonly Need[] = ["root", "overlayfs", "program busybox", "the executable"];

/** A message in its parts, as the error report prints it. */
export interface Refusal {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** Without `bunker: `. */
  readonly message: string;
  readonly because: readonly string[];
  readonly hints: readonly string[];
}

/**
 * Takes the one message of a command that failed apart.
 * @throws {Error} for anything else on stderr: a second message, a stack, a line of progress
 */
export function refusalOf({ exitCode, stdout, stderr }: PipedResult): Refusal {
  const [report = "", usage = ""] = stderr.split("\n\nUsage:  ", 2);
  const [first = "", ...rest] = report.trimEnd().split("\n");
  const isUsage =
    usage === "" || /^bunker .*\n\nRun 'bunker[ a-z]* --help' for more information\n$/.test(usage);
  const isReport =
    first.startsWith("bunker: ") && rest.every((line) => /^(?: {2}because: |hint: )./.test(line));
  if (!isReport || !isUsage) throw new Error(`not one message: ${JSON.stringify(stderr)}`);
  const after = (prefix: string): string[] =>
    rest.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
  return {
    exitCode,
    stdout,
    message: first.slice("bunker: ".length),
    because: after("  because: "),
    hints: after("hint: "),
  };
}

/** A sandbox with a registry; dispose of it before the sandbox looks for what was left. */
export class PullPlace implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly registry: FakeRegistry;
  /** For BUNKER_CONFIG. */
  readonly config: string;

  constructor(
    sandbox: Sandbox,
    images: Readonly<Record<string, BuiltDocument>>,
    options: Omit<RegistryOptions, "images"> = {},
  ) {
    this.sandbox = sandbox;
    this.registry = serveRegistry({ images, ...options });
    this.config = `${sandbox.directory}/config.json`;
    writeMirrorConfig(this.config, this.registry);
  }

  /** Layers are kept as directories, whatever {@link layerPreference} says: for tests that change what is in one. */
  keepDirectories(): void {
    const config = JSON.parse(readFileSync(this.config, "utf8")) as object;
    writeFileSync(this.config, JSON.stringify({ ...config, layers: "directories" }));
  }

  /** The name of an image, e.g. `127.0.0.1:40000/app`. */
  name(image = "app"): string {
    return `${this.registry.host}/${image}`;
  }

  /** Runs `bunker ARGS…` with the configuration. */
  bunker(args: readonly string[], options: Partial<BunkerOptions> = {}): Promise<PipedResult> {
    const env = { BUNKER_CONFIG: this.config, ...options.env };
    return this.sandbox.bunker(args, { ...options, env });
  }

  /** Pulls quietly. @throws {Error} when that fails */
  async pull(image = "app"): Promise<void> {
    const { exitCode, stderr } = await this.bunker(["pull", "-q", this.name(image)]);
    if (exitCode !== 0) throw new Error(`Cannot pull "${image}": ${stderr}`);
  }

  /** The one message of a command that fails; see {@link refusalOf}. */
  async refusal(args: readonly string[], options: Partial<BunkerOptions> = {}): Promise<Refusal> {
    return refusalOf(await this.bunker(args, options));
  }

  /** All that the store holds of images: content, records, work in progress. */
  content(): TreeSnapshot {
    return existsSync(this.sandbox.root) ? snapshotTree(this.sandbox.root, withoutTraces) : {};
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.registry.stop();
  }
}

/** What is not of images: the places of containers, their compiled set-ups, and locks, which are never removed. */
const TRACES = /^(?:base|c|cache|locks)(?:\/|$)/;

/** The time of a directory changes with every name that came and went. */
function withoutTraces(path: string, { type }: NodeSnapshot): Partial<NodeSnapshot> | undefined {
  if (TRACES.test(path)) return undefined;
  return type === "directory" ? { mtime: "" } : {};
}
