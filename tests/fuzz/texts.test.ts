/**
 * What people, registries and images say in a line: names, platforms, challenges, templates, instructions. Each is read into
 * a valid value or refused by an error of ours, whatever it is made of. What once was not is kept in KEPT.
 */
import { describe, expect, test } from "bun:test";
import { evaluateTemplate } from "../../src/cli/template/evaluate.ts";
import type { Value } from "../../src/cli/template/node.ts";
import { parseTemplate } from "../../src/cli/template/parse.ts";
import { parsePlaceName } from "../../src/image/copy/place_name.ts";
import { applyChanges } from "../../src/oci/change/change.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import {
  familiarReference,
  formatReference,
  parseReference,
  parseRegistry,
} from "../../src/oci/reference.ts";
import { chooseChallenge, parseChallenges } from "../../src/registry/challenge.ts";
import { parseRegistriesConfig } from "../../src/registry/registries_config.ts";
import { recordPath } from "../../src/store/find_image.ts";
import { cpuMsOf } from "../helpers/cpu_time.ts";
import { answerOf, FUZZ_MS_MAX, FUZZ_SEED, roundsOf } from "../helpers/fuzz.ts";
import { pick, type Random, seededRandom } from "../helpers/random_policy.ts";

const COUNT = 3000;
const zeros = "0".repeat(64);

/** Text that is put together of pieces, some of which make sense beside each other. */
const joined = (random: Random, pieces: readonly string[], most: number): string =>
  Array.from({ length: random(most) }, () => pick(random, pieces)).join("");

const NAME_PIECES = [
  "docker.io",
  "localhost",
  "a",
  "b/c",
  "/",
  ":",
  "@",
  ".",
  "..",
  "-",
  "_",
  "__",
  "A",
  ":5000",
  "[::1]",
  `sha256:${zeros}`,
  zeros,
  "latest",
  "\0",
  " ",
  "\u00e9",
  "%2f",
  "x".repeat(128),
  "!",
  "?",
  "#",
  "\\",
  "index.docker.io",
  ":tag",
];
const CHALLENGE_PIECES = [
  "Bearer ",
  "Basic ",
  "bearer",
  "realm=",
  "service=",
  "scope=",
  "error=",
  '"',
  "\\",
  '"https://a/token"',
  '"a,b"',
  ",",
  " ",
  "=",
  "==",
  "abc",
  "\t",
  "\0",
  "__proto__=",
  "constructor=",
  "Digest x",
  "\u00ff",
  "a".repeat(5000),
];
const TEMPLATE_PIECES = [
  "{{",
  "}}",
  "{{.",
  "{{- ",
  " -}}",
  ".ID",
  ".Tags",
  ".Missing",
  "range ",
  "end",
  "if ",
  "else",
  "json ",
  "len ",
  "index ",
  "printf ",
  '"%s %d %q\\n"',
  "$",
  "$x",
  " := ",
  "|",
  "(",
  ")",
  '"a"',
  "`raw`",
  "1",
  "-1",
  "0x",
  " ",
  "\n",
  "table ",
  "with ",
  "not ",
  "eq ",
  "{{.ID}}",
  "{{json .}}",
  "{{range .Tags}}{{.}}{{end}}",
  "{{/* c */}}",
  "\0",
  "join ",
  "upper ",
  "split ",
  "9".repeat(400),
];
const CHANGE_PIECES = [
  "CMD ",
  "ENV ",
  "ENTRYPOINT ",
  "USER ",
  "LABEL ",
  "EXPOSE ",
  "VOLUME ",
  "WORKDIR ",
  "STOPSIGNAL ",
  "HEALTHCHECK ",
  "ONBUILD ",
  "[",
  "]",
  '"',
  "'",
  "a",
  "=",
  " ",
  "\\",
  "\n",
  "$",
  "{x:-y}",
  "/",
  "80",
  "/tcp",
  "9".repeat(30),
  "\0",
  "#",
];
const DATA: Value = answerData();

function answerData(): Value {
  return { ID: "sha256:abc", Tags: ["a", "b"], Size: 5, Nested: { A: null, B: true } } as unknown as Value;
}

/** What was answered by an error of JavaScript's own, or not at all. */
const KEPT: ReadonlyArray<readonly [string, () => unknown]> = [
  [
    "an architecture that is a prototype's property",
    () => ["__proto__", "constructor", "toString"].map((name) => parsePlatform(`linux/${name}`)),
  ],
  ["a list in the place of all registries", () => parseRegistriesConfig([[]])],
  ["a template of an empty action", () => evaluateTemplate(parseTemplate("{{}}"), DATA)],
];

describe(`texts, seed ${FUZZ_SEED}`, () => {
  test("names of images that are accepted come back from their full form, and stay below refs", () => {
    const random = seededRandom(FUZZ_SEED);
    let accepted = 0;

    for (let round = roundsOf(COUNT * 3); round > 0; round -= 1) {
      const text = joined(random, NAME_PIECES, 9);
      const answer = answerOf(
        () => parseReference(text),
        () => text,
      );
      answerOf(
        () => parseRegistry(text),
        () => text,
      );
      if (answer === undefined) continue;
      accepted += 1;
      const { value } = answer;
      expect(parseReference(formatReference(value))).toEqual(value);
      if (value.digest === undefined) expect(parseReference(familiarReference(value))).toEqual(value);
      expect(recordPath(value)).toMatch(/^refs\/(?:[^/]+\/)+[:@][^/]+\.json$/);
      expect(recordPath(value).split("/")).not.toContain("..");
    }

    expect(accepted).toBeGreaterThan(roundsOf(COUNT) / 20);
  });

  test("places of copies are read or refused, and files have absolute names without a NUL", () => {
    const random = seededRandom(FUZZ_SEED);
    const kinds = ["oci:", "oci-archive:", "docker-archive:", "docker://", "dir:", ""];

    for (let round = roundsOf(COUNT * 2); round > 0; round -= 1) {
      const text = pick(random, kinds) + joined(random, NAME_PIECES, 7);
      const place = answerOf(
        () => parsePlaceName(text, "/here"),
        () => text,
      )?.value;
      if (place === undefined || place.kind === "registry") continue;
      const path = place.kind === "layout" ? place.directory : place.file;
      expect(path).toMatch(/^\/[^\0]*$/);
      expect(place.tag ?? "tag").toMatch(/^[A-Za-z0-9[][-A-Za-z0-9._:@/+[\]]*$/);
    }
  });

  test("platforms are read or refused", () => {
    const random = seededRandom(FUZZ_SEED);

    for (let round = roundsOf(COUNT); round > 0; round -= 1) {
      const text = joined(
        random,
        ["linux", "/", "amd64", "arm", "v7", "windows", "", " ", "\0", "..", "x".repeat(300)],
        6,
      );
      answerOf(
        () => parsePlatform(text),
        () => text,
      );
    }
  });

  test("headers of challenges give challenges whose realm is text, and no prototype's property", () => {
    const random = seededRandom(FUZZ_SEED);

    for (let round = roundsOf(COUNT * 3); round > 0; round -= 1) {
      const text = joined(random, CHALLENGE_PIECES, 14);
      const answer = answerOf(
        () => parseChallenges(text),
        () => text,
      );
      const chosen = chooseChallenge(answer?.value ?? [], random(2) === 0);
      if (chosen?.scheme !== "bearer") continue;
      for (const part of [chosen.realm, chosen.service, chosen.scope, chosen.error])
        expect(["string", "undefined"]).toContain(typeof part);
    }
  });

  test("long headers of challenges are read in a time that grows with their length", () => {
    const cpuMs = cpuMsOf(() => {
      for (const piece of [...CHALLENGE_PIECES, 'Bearer a="', 'a=\\"', "a ,", "\\\\", 'x="\\'])
        answerOf(
          () => parseChallenges(`Bearer ${piece.repeat(100_000 / Math.max(1, piece.length))}`),
          () => piece,
        );
    });

    expect(cpuMs).toBeLessThan(5000);
  });

  test(
    "templates give text or an error that names the template",
    () => {
      const random = seededRandom(FUZZ_SEED);
      let given = 0;

      for (let round = roundsOf(COUNT * 3); round > 0; round -= 1) {
        const text = joined(random, TEMPLATE_PIECES, 10);
        const answer = answerOf(
          () => evaluateTemplate(parseTemplate(text), DATA),
          () => text,
        );
        if (answer !== undefined) given += 1;
      }

      expect(given).toBeGreaterThan(roundsOf(COUNT) / 20);
    },
    FUZZ_MS_MAX,
  );

  test("instructions of an import are applied or refused", () => {
    const random = seededRandom(FUZZ_SEED);

    for (let round = roundsOf(COUNT); round > 0; round -= 1) {
      const text = joined(random, CHANGE_PIECES, 8);
      answerOf(
        () => applyChanges({}, [text]),
        () => text,
      );
    }
  });

  test.each(KEPT)("%s is answered", (_, read) => {
    answerOf(read, () => "");
  });
});
