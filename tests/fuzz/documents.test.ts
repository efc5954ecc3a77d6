/**
 * Documents of registries and archives, files of configuration and credentials. Each is read into a
 * valid value or refused by an error of ours, whatever bytes it is made of.
 */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { readConfiguration } from "../../src/engine/configuration.ts";
import { readClientConfig } from "../../src/engine/credential_files.ts";
import { LayoutSource } from "../../src/image/copy/layout_source.ts";
import { isDigest, parseDigest } from "../../src/oci/digest.ts";
import { parseImageConfig } from "../../src/oci/image_config.ts";
import { chooseManifest, parseDocument, parseManifest } from "../../src/oci/manifest.ts";
import { hostPlatform } from "../../src/oci/platform.ts";
import { entryFor, parseReferrers, withReferrer } from "../../src/oci/referrer.ts";
import { parseClientConfig } from "../../src/registry/credentials.ts";
import { parseRegistriesConfig } from "../../src/registry/registries_config.ts";
import { answerOf, FUZZ_MS_MAX, FUZZ_SEED, roundsOf } from "../helpers/fuzz.ts";
import { buildImage, buildIndex } from "../helpers/image_builder.ts";
import { damagedBytes, mutatedJson } from "../helpers/json_mutation.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { pick, seededRandom } from "../helpers/random_policy.ts";

const COUNT = 3000;
const CHANGES_MAX = 4;
const image = buildImage({
  layers: [{ entries: [{ name: "a" }] }, { entries: [{ name: "b" }] }],
  config: {
    Env: ["A=b"],
    Cmd: ["c"],
    Entrypoint: ["e"],
    User: "u:g",
    WorkingDir: "/w",
    Labels: { l: "v" },
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/v": {} },
    StopSignal: "TERM",
    Healthcheck: { Test: ["CMD", "x"], Interval: 1 },
  },
  manifestDocument: { annotations: { a: "b" }, subject: undefined },
});
const index = buildIndex({ images: [image], attestations: true });
const jsonOf = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());
const config = jsonOf(image.blobs.get(image.configDigest) ?? new Uint8Array());

const added = { mediaType: image.mediaType, digest: parseDigest(image.digest) };

/** Calls `read` with changes of valid documents, as trees and as bytes. */
function forDocuments(valid: readonly unknown[], read: (bytes: Uint8Array) => unknown): { accepted: number } {
  const random = seededRandom(FUZZ_SEED);
  let accepted = 0;
  for (let round = roundsOf(COUNT); round > 0; round -= 1) {
    const text = mutatedJson(pick(random, valid), CHANGES_MAX, random);
    const bytes = Buffer.from(text);
    const input = random(4) === 0 ? damagedBytes(bytes, random) : bytes;
    const answer = answerOf(
      () => read(input),
      () => Buffer.from(input).toString("latin1"),
    );
    if (answer !== undefined) accepted += 1;
  }
  return { accepted };
}

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // What is no JSON is refused before.
    return null;
  }
};

const registries = {
  "docker.io": { mirrors: ["127.0.0.1:5000"], tls: true },
  "127.0.0.1:5000": { tls: false },
};
const credentials = {
  auths: { "https://index.docker.io/v1/": { auth: "dTpw" }, "a.example": { identitytoken: "t" } },
  credHelpers: { "b.example": "name" },
  credsStore: "desktop",
};

describe(`documents, seed ${FUZZ_SEED}`, () => {
  const documents: ReadonlyArray<readonly [string, readonly unknown[], (bytes: Uint8Array) => unknown]> = [
    [
      "manifests and indices",
      [jsonOf(image.bytes), jsonOf(index.bytes)],
      (bytes) => {
        const document = parseManifest(bytes);
        if (document.kind === "index") return chooseManifest(document, hostPlatform());
        for (const { digest, size } of [document.config, ...document.layers]) {
          expect(isDigest(digest)).toBeTrue();
          expect(size).toBeGreaterThanOrEqual(0);
        }
        return document;
      },
    ],
    [
      "documents with a media type",
      [jsonOf(image.bytes), jsonOf(index.bytes)],
      (bytes) => [parseDocument(bytes, image.mediaType), parseDocument(bytes, index.mediaType)],
    ],
    ["image configurations", [config], (bytes) => parseImageConfig(bytes, image.layers.length)],
    ["referrers", [jsonOf(index.bytes)], (bytes) => parseReferrers(bytes)],
    [
      "lists of referrers that are added to",
      [jsonOf(index.bytes)],
      (bytes) => withReferrer(bytes, { ...added, bytes: image.bytes }),
    ],
    [
      "manifests that are put into such a list",
      [jsonOf(image.bytes)],
      (bytes) => entryFor({ ...added, bytes }),
    ],
    ["registries of the configuration", [registries], (bytes) => parseRegistriesConfig(parsed(bytes))],
    ["credentials of docker and podman", [credentials], (bytes) => parseClientConfig(parsed(bytes))],
  ];
  for (const [what, valid, read] of documents) {
    test(
      `${what} are read or refused`,
      () => {
        const { accepted } = forDocuments(valid, read);

        expect(accepted).toBeLessThan(roundsOf(COUNT));
      },
      FUZZ_MS_MAX,
    );
  }

  test(
    "files of the configuration and of credentials are read or refused, from the disk",
    () => {
      const directory = mkdtempSync(`${tmpdir()}/bunker-fuzz-`);
      const path = `${directory}/config.json`;
      const random = seededRandom(FUZZ_SEED);
      try {
        for (let round = roundsOf(COUNT / 10); round > 0; round -= 1) {
          const text = Buffer.from(mutatedJson(pick(random, [{ registries }, credentials]), 3, random));
          writeFileSync(path, random(3) === 0 ? damagedBytes(text, random) : text);
          answerOf(
            () => readConfiguration({ config: path, debug: false }),
            () => text.toString(),
          );
          answerOf(
            () => readClientConfig(path),
            () => text.toString(),
          );
        }
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    FUZZ_MS_MAX,
  );

  test(
    "layouts on the disk are read or refused",
    () => {
      const directory = mkdtempSync(`${tmpdir()}/bunker-fuzz-`);
      const random = seededRandom(FUZZ_SEED);
      writeOciLayout(`${directory}/layout`, { app: index, other: image });
      const valid = jsonOf(readFileSync(`${directory}/layout/index.json`));
      const files = [
        [`${directory}/layout/index.json`, valid],
        [`${directory}/layout/oci-layout`, { imageLayoutVersion: "1.0.0" }],
        [`${directory}/layout/blobs/${index.digest.replace(":", "/")}`, jsonOf(index.bytes)],
      ] as const;
      try {
        for (let round = roundsOf(COUNT / 10); round > 0; round -= 1) {
          for (const [path, content] of files) writeFileSync(path, JSON.stringify(content));
          const [path, content] = pick(random, files);
          const text = Buffer.from(mutatedJson(content, 3, random));
          writeFileSync(path, random(3) === 0 ? damagedBytes(text, random) : text);
          for (const tag of ["app", undefined])
            answerOf(
              () => new LayoutSource({ directory: `${directory}/layout`, tag }),
              () => text.toString(),
            );
        }
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    FUZZ_MS_MAX,
  );
});
