/** Every parser of a value, with texts that nobody would write: it answers, or refuses with an error meant for people. */
import { describe, expect, test } from "bun:test";
import { parseBytes } from "../../../../src/engine/options/bytes.ts";
import { parseCapabilities } from "../../../../src/engine/options/capability.ts";
import { parseWorkdir } from "../../../../src/engine/options/container_path.ts";
import { parseCpus } from "../../../../src/engine/options/cpus.ts";
import { parseEnvText } from "../../../../src/engine/options/env_file.ts";
import { parseHostname } from "../../../../src/engine/options/hostname.ts";
import { parseMount } from "../../../../src/engine/options/mount.ts";
import { parseName } from "../../../../src/engine/options/name.ts";
import { parsePidsLimit } from "../../../../src/engine/options/pids_limit.ts";
import { parseSecurityOpt } from "../../../../src/engine/options/security_opt.ts";
import { parseTmpfs } from "../../../../src/engine/options/tmpfs.ts";
import { parseUlimit } from "../../../../src/engine/options/ulimit.ts";
import { parseUser } from "../../../../src/engine/options/user.ts";
import { parseVolume } from "../../../../src/engine/options/volume.ts";
import { BunkerError } from "../../../../src/errors.ts";
import { cpuMsOf } from "../../../helpers/cpu_time.ts";

const PARSERS: readonly (readonly [name: string, parse: (text: string) => unknown])[] = [
  ["parseBytes", parseBytes],
  ["parseCapabilities", parseCapabilities],
  ["parseWorkdir", parseWorkdir],
  ["parseCpus", parseCpus],
  ["parseEnvText", (text) => parseEnvText(text, "file")],
  ["parseHostname", parseHostname],
  ["parseMount", parseMount],
  ["parseName", parseName],
  ["parsePidsLimit", parsePidsLimit],
  ["parseSecurityOpt", parseSecurityOpt],
  ["parseTmpfs", parseTmpfs],
  ["parseUlimit", parseUlimit],
  ["parseUser", parseUser],
  ["parseVolume", parseVolume],
];

/** Pieces that mean something to one parser or another. */
const PIECES = [
  ..."/:=,.-\"' \n\0\u001b0179kmgax",
  "type=bind",
  "src=",
  "dst=/",
  "ro",
  "size=",
  "nofile=",
  "..",
  "ÿ",
  "😀",
];
const TEXTS = 2000;
const PIECES_MAX = 12;

/** Length at which a pattern that tries every way through a text would not come back for minutes. */
const LONG = 50_000;

describe.each(PARSERS)("%s()", (_, parse) => {
  test("answers random texts, or refuses them with an error for people", () => {
    const next = randomNumbers(20_260_801);

    for (let count = 0; count < TEXTS; count++) {
      const text = Array.from({ length: next() % PIECES_MAX }, () => PIECES[next() % PIECES.length]).join("");
      expect(isExpected(outcomeOf(parse, text))).toBe(true);
    }
  });

  test.each(["a", "0", "-", "/", ":", ",", '"', " ", "a-", "a.", "./"])(
    "is quick for a long run of %j",
    (piece) => {
      const cpuMs = cpuMsOf(() => void outcomeOf(parse, piece.repeat(LONG)));

      expect(cpuMs).toBeLessThan(1000);
    },
  );
});

function outcomeOf(parse: (text: string) => unknown, text: string): unknown {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    return error;
  }
}

function isExpected(outcome: unknown): boolean {
  return (
    outcome === undefined || [SyntaxError, RangeError, BunkerError].some((kind) => outcome instanceof kind)
  );
}

/** The same numbers in every run (xorshift32), so that a failure can be repeated. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
