/**
 * Archives that Debian's peers have saved: bunker loads each from a file and from a pipe, compressed and not, runs it, saves
 * it, loads that again, and pushes what it has: documents and layers stay the same.
 */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { sha256Digest } from "../helpers/image_builder.ts";
import { type PipedResult, runPiped } from "../helpers/pipes.ts";
import { executable, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { type ArchiveRow, archiveRows } from "./archive_rows.ts";
import { PEER_NEEDS, Peers } from "./peers.ts";
import { manifestOf } from "./registry_content.ts";
import { MARKER } from "./sources.ts";

const TEST_MS_MAX = 120_000;
let peers: Peers;

beforeAll(async () => {
  if (whyMissing(PEER_NEEDS) === undefined) peers = await Peers.start();
}, TEST_MS_MAX);
afterAll(async () => {
  await (peers as Peers | undefined)?.[Symbol.asyncDispose]();
}, TEST_MS_MAX);

describe("an archive that a peer has saved is loaded, run, saved and pushed", () => {
  for (const [at, row] of archiveRows.entries()) {
    const needs = [...PEER_NEEDS, ...row.needs];
    kernelTest(row.what, needs, (sandbox) => goRound(sandbox, row, at), TEST_MS_MAX);
  }
});

async function goRound(sandbox: Sandbox, row: ArchiveRow, at: number): Promise<void> {
  const { path, reference } = await row.save(peers);
  for (const way of waysOf(sandbox, path)) {
    const { exitCode, stdout, stderr } = await way();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const loaded = stdout.trimEnd().split("\n").sort();
    if (row.names.length > 0) expect(loaded).toEqual(row.names.map((name) => `Loaded image: ${name}`));
    else expect(stdout).toMatch(/^Loaded image ID: sha256:[0-9a-f]{64}\n$/);
  }
  const images = JSON.parse((await bunker(sandbox, ["images", "--json"])).stdout) as readonly Image[];
  for (const { id } of images) expect((await bunker(sandbox, ["run", id])).stdout).toBe(MARKER);
  if (reference !== undefined) await comparePushed(sandbox, { reference, id: images[0]?.id ?? "", at });
}

interface Image {
  readonly id: string;
}

/** From a file and through a pipe, plain and compressed, each into a store without images. */
function waysOf(sandbox: Sandbox, path: string): ReadonlyArray<() => Promise<PipedResult>> {
  const bytes = readFileSync(path);
  const compressed = { gzip: Bun.gzipSync(bytes), zstd: Bun.zstdCompressSync(bytes) };
  for (const [name, content] of Object.entries(compressed)) writeFileSync(`${path}.${name}`, content);
  const emptied = async (load: () => Promise<PipedResult>): Promise<PipedResult> => {
    await bunker(sandbox, ["image", "prune", "-af"]);
    return load();
  };
  return [
    () => emptied(() => sandbox.bunker(["load", "-i", `${path}.gzip`])),
    () => emptied(() => loadFromPipe(sandbox, `${path}.zstd`)),
    () => emptied(() => loadFromPipe(sandbox, path)),
    () => emptied(() => sandbox.bunker(["load", "-i", path])),
  ];
}

function loadFromPipe({ root, state }: Sandbox, path: string): Promise<PipedResult> {
  const env = { PATH: process.env["PATH"], HOME: "/", BUNKER_ROOT: root, BUNKER_STATE: state };
  return runPiped(["sh", "-ec", 'cat "$1" | "$0" load', executable, path], { env });
}

/** What was loaded, and what is loaded again after it was saved, is pushed with the documents of the archive. */
async function comparePushed(
  sandbox: Sandbox,
  { reference, id, at }: { readonly reference: string; readonly id: string; readonly at: number },
): Promise<void> {
  const { host, url } = peers.registry;
  const [first, again] = [`${host}/archive${at}:1`, `${host}/archive${at}:2`];
  await bunker(sandbox, ["tag", id, first]);
  await bunker(sandbox, ["push", "-q", first]);
  await bunker(sandbox, ["save", "-o", `${sandbox.directory}/saved.tar`, first]);
  await bunker(sandbox, ["image", "prune", "-af"]);
  await bunker(sandbox, ["load", "-i", `${sandbox.directory}/saved.tar`]);
  await bunker(sandbox, ["tag", first, again]);
  await bunker(sandbox, ["push", "-q", again]);

  const [pushed, repeated] = [
    await manifestOf(url, `archive${at}`, "1"),
    await manifestOf(url, `archive${at}`, "2"),
  ];
  const config = await peers.inspect("--config", "--raw", reference);
  expect(pushed.config.digest).toBe(sha256Digest(Buffer.from(config)));
  expect(repeated.bytes.toString()).toBe(pushed.bytes.toString());
  // Docker's archives have no manifest: there is nothing to keep.
  if (!reference.startsWith("docker-archive:")) {
    expect(pushed.bytes.toString()).toBe(await peers.inspect("--raw", reference));
  }
}

async function bunker(sandbox: Sandbox, args: readonly string[]): Promise<PipedResult> {
  const result = await sandbox.bunker(args, { timeoutMs: 30_000 });
  expect([args[0], result.exitCode, result.stderr]).toEqual([args[0], 0, ""]);
  return result;
}
