import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { FollowedLog, findLastTest } from "../../../scripts/followed_log.ts";

const directory = mkdtempSync(`${tmpdir()}/bunker-log-`);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("FollowedLog", () => {
  test("shows what is written while it is written, and gives all of it in the end", async () => {
    const seen: string[] = [];
    const first = Promise.withResolvers<void>();
    const log = new FollowedLog(`${directory}/log`, (text) => {
      seen.push(new TextDecoder().decode(text));
      first.resolve();
    });

    writeSync(log.fd, "one\n");
    await first.promise;
    writeSync(log.fd, "two\n");
    const all = log.end();

    expect([seen.join(""), all]).toEqual(["one\ntwo\n", "one\ntwo\n"]);
  });

  test("tells how long nothing was written", async () => {
    let now = 1000;
    const shown = Promise.withResolvers<void>();
    const log = new FollowedLog(
      `${directory}/silent`,
      () => shown.resolve(),
      () => now,
    );

    now = 1500;
    const before = log.silentMs;
    writeSync(log.fd, "one\n");
    await shown.promise;
    now = 1600;
    const after = log.silentMs;
    log.end();

    expect([before, after]).toEqual([500, 100]);
  });
});

describe("findLastTest()", () => {
  const start = "bun test v1.4.5\n\ntests/a.test.ts:\n(pass) a > one [3.2ms]\n";

  test.each([
    [`${start}said by a test\n`, "tests/a.test.ts: a > one"],
    [`${start}(fail) a > two\n`, "tests/a.test.ts: a > two"],
    [`${start}\ntests/b.test.ts:\n`, "tests/b.test.ts: its start"],
    ["bun test v1.4.5\n", undefined],
  ])("of %j is %j", (output, wanted) => {
    expect(findLastTest(output)).toBe(wanted as string);
  });
});
