import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseOptions } from "../../../../src/cli/options.ts";
import { GLOBAL_OPTIONS } from "../../../../src/cli/runc/global_options.ts";
import { openLog } from "../../../../src/cli/runc/log.ts";

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;

describe("openLog()", () => {
  test("appends JSON lines with level, msg and time, as containerd reads them", () => {
    const lines = logged(["--log-format", "json"], (log) => log.write("error", 'a "b"\n\u001b'));

    expect(lines.length).toBe(1);
    const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, string>;
    expect(rest).toEqual({ level: "error", msg: 'a "b"\n\u001b' });
    expect(time).toMatch(TIME);
  });

  test("writes text as logrus does", () => {
    const [first, second] = logged([], (log) => {
      log.write("error", "container does not exist");
      log.write("warning", "one");
    });

    expect(first?.replace(TIME, "T")).toBe('time="T" level=error msg="container does not exist"');
    expect(second?.replace(TIME, "T")).toBe('time="T" level=warning msg=one');
  });

  test("keeps what is in the file, and makes a missing one readable for all", () => {
    using place = new Place();
    writeFileSync(place.file, "before\n");

    openLog(globals("--log", place.file)).write("error", "after");
    openLog(globals("--log", `${place.file}.new`));

    expect(readFileSync(place.file, "utf8")).toMatch(/^before\ntime=.*after\n$/);
    expect((statSync(`${place.file}.new`).mode & 0o777) | 0o022).toBe(0o666);
  });

  test.each([
    ["a JSON log has errors only, since podman reads it as one value", ["--log-format=json"], ["error"]],
    ["a text log has warnings too", [], ["warning", "error"]],
    ["--debug has everything", ["--debug"], ["debug", "info", "warning", "error"]],
    ["--log-level chooses", ["--log-level", "info"], ["info", "warning", "error"]],
  ])("%s", (_, words, levels) => {
    const lines = logged(words, (log) => {
      for (const level of ["debug", "info", "warning", "error"] as const) log.write(level, level);
    });

    expect(lines.map((line) => /(?:level=|"level":")(\w+)/.exec(line)?.[1] ?? "")).toEqual(levels);
  });

  test("takes crun's form of a file", () => {
    using place = new Place();

    openLog(globals("--log", `file:${place.file}`)).write("error", "one");

    expect(readFileSync(place.file, "utf8")).toContain("one");
  });

  test.each([
    [["--log-format", "xml"], 'invalid log-format: "xml": expected text or json'],
    [["--log", "journald:x"], 'invalid value "journald:x" for --log: journald is not supported'],
    [["--log", "syslog:x"], 'invalid value "syslog:x" for --log: syslog is not supported'],
    [["--log-level", "all"], 'unknown log level "all": expected debug, info, warning or error'],
    [["--log", "/proc/nonexistent/log"], 'Cannot open the log "/proc/nonexistent/log": ENOENT'],
  ])("refuses %p", (words, message) => {
    expect(() => openLog(globals(...words))).toThrow(message);
  });
});

/** A file name in a directory of its own. */
class Place implements Disposable {
  readonly #directory = mkdtempSync(`${tmpdir()}/bunker-log-`);
  readonly file = `${this.#directory}/log`;

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

const globals = (...words: readonly string[]) =>
  parseOptions(words, { options: GLOBAL_OPTIONS, interspersed: false, singleDash: true });

function logged(words: readonly string[], write: (log: ReturnType<typeof openLog>) => void): string[] {
  using place = new Place();
  write(openLog(globals("--log", place.file, ...words)));
  return readFileSync(place.file, "utf8").split("\n").slice(0, -1);
}
