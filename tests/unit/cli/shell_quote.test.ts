import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { shellQuote } from "../../../src/cli/shell_quote.ts";
import { seededRandom } from "../../helpers/random_policy.ts";
import { testIf } from "../../helpers/requires.ts";

/** Names as bytes. */
const names = [
  "plain",
  "-x",
  "a b",
  "it's",
  "new\nline",
  "two\n\nlines",
  "\xff\xfe binary",
  "end\xff",
  "tab\there",
  "#comment",
  "no#comment",
  "~home",
  "x~",
  "a=b",
  "=a",
  "{",
  "[a]",
  "a]",
  "a*b",
  "\xc3\xbcmlaut",
  "\xf0\x9f\x98\x80",
  "\x1b[31mred",
  'double "quotes"',
  "back\\slash",
  "history!",
  "$variable",
  "semi;colon",
  "\x01\x02",
];

describe("shellQuote()", () => {
  testIf(["program ls"], "quotes as ls does", () => {
    const directory = mkdtempSync(`${tmpdir()}/bunker-names-`);
    for (const name of names)
      writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, "latin1")]), "");

    const { stdout } = Bun.spawnSync(["ls", "-1", "--quoting-style=shell-escape", directory], {
      env: { LC_ALL: "C.UTF-8" },
    });

    rmSync(directory, { recursive: true });

    expect(names.map(shellQuote).sort()).toEqual(stdout.toString().trimEnd().split("\n").sort());
  });

  testIf(["program bash"], "is read back by a shell byte by byte", () => {
    const random = seededRandom(0x5eed);
    const many = Array.from({ length: 300 }, () =>
      String.fromCharCode(...Array.from({ length: 1 + random(12) }, () => 1 + random(255))),
    );
    const all = [...names, ...many, "it's\n", "'", "\xe2\x80\xaereversed", ""];

    const { stdout } = Bun.spawnSync(["bash", "-c", `printf '%s\\0' ${all.map(shellQuote).join(" ")}`]);

    expect(stdout.toString("latin1").split("\0").slice(0, -1)).toEqual(all);
  });

  test.each(["\x1b]0;title\x07", "\xe2\x80\xaereversed", "\xc2\x9b31m", "\xe2\x80\xa8line", "\x7f"])(
    "shows no character of %j that a terminal obeys",
    (name) => {
      expect(shellQuote(name)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    },
  );
});
