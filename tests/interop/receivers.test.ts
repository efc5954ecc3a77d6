/**
 * What bunker pushes and saves, Debian's peers take: copied with the same manifest, loaded under the same id, unpacked, and
 * run, for each compression and in the media types of OCI and of Docker.
 */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { BuiltImage } from "../helpers/image_builder.ts";
import { titleOf, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { PEER_NEEDS, Peers } from "./peers.ts";
import { type ReceiverRow, receiverRows, type Sent } from "./receiver_rows.ts";
import { directoryOf } from "./registry_rows.ts";
import { MARKER, type SourceOptions, sourceImage } from "./sources.ts";

const TEST_MS_MAX = 120_000;
const sources: ReadonlyArray<readonly [what: string, options: SourceOptions]> = [
  ["OCI, gzip", { compression: "gzip" }],
  ["OCI, not compressed", { compression: "none" }],
  ["OCI, zstd", { compression: "zstd" }],
  ["Docker's, gzip", { compression: "gzip", flavour: "docker" }],
];
let peers: Peers;

beforeAll(async () => {
  if (whyMissing(PEER_NEEDS) === undefined) peers = await Peers.start();
}, TEST_MS_MAX);
afterAll(async () => {
  await (peers as Peers | undefined)?.[Symbol.asyncDispose]();
}, TEST_MS_MAX);

for (const [at, [what, options]] of sources.entries()) {
  describe(`an image of bunker: ${what}`, () => {
    for (const row of receiverRows) {
      const needs = [...PEER_NEEDS, ...row.needs];
      kernelTest(
        titleOfRow(row, options),
        needs,
        (sandbox) => receive(sandbox, row, { at, options }),
        TEST_MS_MAX,
      );
    }
  });
}

async function receive(
  sandbox: Sandbox,
  row: ReceiverRow,
  { at, options }: { readonly at: number; readonly options: SourceOptions },
): Promise<void> {
  const image = sourceImage({ ...options, salt: `receivers ${at}` });
  const sent = await send(sandbox, { image, name: `${peers.registry.host}/sent${at}` });

  const received = row.receive(peers, sent);

  if (reasonOf(row, options) !== undefined) {
    await expect(received).rejects.toThrow();
    return;
  }
  const expected = { output: MARKER, id: sent.id, manifest: sent.manifest, file: "owned\n" };
  const shown = await received;
  expect(Object.keys(shown)).not.toBeEmpty();
  expect(expected).toMatchObject(shown);
}

/** Has bunker pull an image from the registry, push it under another name, and save that. */
async function send(
  sandbox: Sandbox,
  { image, name }: { readonly image: BuiltImage; readonly name: string },
): Promise<Sent> {
  const [from, pushed, saved] = [`${name}-from:1`, `${name}:1`, `${sandbox.directory}/saved.tar`];
  await peers.copy(directoryOf(peers, image), `docker://${from}`, ["--preserve-digests"]);
  for (const args of [
    ["pull", "-q", from],
    ["tag", from, pushed],
    ["push", "-q", pushed],
    ["save", "-o", saved, pushed],
  ]) {
    const { exitCode, stderr } = await sandbox.bunker(args);
    expect([args[0], exitCode, stderr]).toEqual([args[0], 0, ""]);
  }
  const manifest = Buffer.from(image.bytes).toString();
  return { pushed, saved, id: image.configDigest, manifest };
}

function reasonOf({ cannot }: ReceiverRow, options: SourceOptions): string | undefined {
  return cannot?.({ compression: "gzip", flavour: "oci", ...options });
}

/** A row that a peer cannot do shows that it still cannot. */
function titleOfRow(row: ReceiverRow, options: SourceOptions): string {
  return titleOf(row.what, reasonOf(row, options));
}
