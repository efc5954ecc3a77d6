/**
 * What Debian's peers put into Debian's registry, bunker pulls, runs, saves, loads and pushes back: manifest, configuration
 * and layers with the same digests all the way.
 */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { PipedResult } from "../helpers/pipes.ts";
import { titleOf, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { PEER_NEEDS, Peers } from "./peers.ts";
import { documentAt, manifestOf } from "./registry_content.ts";
import { type RegistryRow, registryRows } from "./registry_rows.ts";
import { MARKER } from "./sources.ts";

const TEST_MS_MAX = 120_000;
let peers: Peers;

beforeAll(async () => {
  if (whyMissing(PEER_NEEDS) === undefined) peers = await Peers.start();
}, TEST_MS_MAX);
afterAll(async () => {
  await (peers as Peers | undefined)?.[Symbol.asyncDispose]();
}, TEST_MS_MAX);

describe("an image that a peer has pushed is pulled, run, saved, loaded and pushed back", () => {
  for (const [at, row] of registryRows.entries()) {
    kernelTest(
      titleOfRow(row),
      [...PEER_NEEDS, ...row.needs],
      (sandbox) => goRound(sandbox, row, at),
      TEST_MS_MAX,
    );
  }
});

async function goRound(sandbox: Sandbox, row: RegistryRow, at: number): Promise<void> {
  const { host, url } = peers.registry;
  const put = row.put(peers, `${host}/row${at}:1`);
  if (row.cannot !== undefined) {
    await expect(put).rejects.toThrow();
    return;
  }
  await put;
  const original = await manifestOf(url, `row${at}`, "1");
  for (const { mediaType } of original.layers) expect(mediaType).toMatch(row.layers);
  const name = `${host}/row${at}:1`;
  const archive = `${sandbox.directory}/saved.tar`;

  const run = await bunker(sandbox, ["run", "-q", name]);
  await bunker(sandbox, ["save", "-o", archive, name]);
  await bunker(sandbox, ["tag", name, `${host}/again${at}:1`]);
  await bunker(sandbox, ["push", "-q", `${host}/again${at}:1`]);
  await bunker(sandbox, ["image", "prune", "-af"]);
  await bunker(sandbox, ["load", "-i", archive]);
  await bunker(sandbox, ["tag", name, `${host}/loaded${at}:1`]);
  await bunker(sandbox, ["push", "-q", `${host}/loaded${at}:1`]);

  expect(run.stdout).toBe(MARKER);
  for (const repository of [`again${at}`, `loaded${at}`]) {
    const { bytes } = await manifestOf(url, repository, "1");
    expect(bytes.toString()).toBe(original.bytes.toString());
  }
  if (row.other !== undefined) await returnIndex(sandbox, at, row.other);
}

/** With the images of all its platforms here, an index goes back as it came. */
async function returnIndex(sandbox: Sandbox, at: number, other: string): Promise<void> {
  const { host, url } = peers.registry;
  const [name, back] = [`${host}/row${at}:1`, `${host}/index${at}:1`];
  for (const platform of [[], ["--platform", other]])
    await bunker(sandbox, ["pull", "-q", ...platform, name]);
  await bunker(sandbox, ["tag", name, back]);
  await bunker(sandbox, ["push", "-q", back]);
  const [original, pushed] = [
    await documentAt(url, `row${at}`, "1"),
    await documentAt(url, `index${at}`, "1"),
  ];
  expect(pushed.toString()).toBe(original.toString());
}

async function bunker(sandbox: Sandbox, args: readonly string[]): Promise<PipedResult> {
  const result = await sandbox.bunker(args, { timeoutMs: 30_000 });
  expect([args[0], result.exitCode, result.stderr]).toEqual([args[0], 0, ""]);
  return result;
}

/** A row that a peer cannot do shows that it still cannot. */
function titleOfRow({ what, cannot }: RegistryRow): string {
  return cannot === undefined ? what : titleOf(what, cannot);
}
