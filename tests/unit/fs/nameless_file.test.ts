import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { NamelessFile } from "../../../src/fs/nameless_file.ts";
import { testIf } from "../../helpers/requires.ts";

/** A watcher that looks again and again sees a gap in each of some tens. */
const REPLACEMENTS = 500;

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(`${tmpdir()}/bunker-nameless-`);
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("NamelessFile", () => {
  test("is nowhere until it gets its name, in place of what is there", () => {
    writeFileSync(`${directory}/name`, "old");

    using file = NamelessFile.create(directory);
    file.write(Buffer.from("new"));
    const before = readdirSync(directory);
    file.link(`${directory}/name`);

    expect(before).toEqual(["name"]);
    expect(readFileSync(`${directory}/name`, "utf8")).toBe("new");
  });

  test("leaves no moment without a file when it replaces another", async () => {
    const path = `${directory}/name`;
    writeFileSync(path, "old");
    const watcher = new Worker(
      `data:text/javascript,
        import { existsSync } from "node:fs";
        onmessage = ({ data: path }) => {
          postMessage("begun");
          let missing = 0;
          while (!existsSync(path + ".end")) if (!existsSync(path)) missing += 1;
          postMessage(missing);
        };`,
    );
    const said = async (): Promise<unknown> => {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      watcher.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
      return promise;
    };
    watcher.postMessage(path);
    await said();
    const answer = said();

    for (let count = 0; count < REPLACEMENTS; count += 1) {
      using file = NamelessFile.create(directory);
      file.write(Buffer.from("new"));
      file.link(path);
    }
    writeFileSync(`${path}.end`, "");

    expect(await answer).toBe(0);
    expect(readdirSync(directory).sort()).toEqual(["name", "name.end"]);
    watcher.terminate();
  });

  test("is gone when it got none", () => {
    {
      using file = NamelessFile.create(directory);
      file.write(Buffer.from("new"));
    }

    expect(readdirSync(directory)).toEqual([]);
  });

  const ANOTHERS = ".tmp-bunker-00000000deadbeef";
  for (const [where, left, prepare] of [
    ["that may not be read", [], () => chmodSync(directory, 0o300)],
    [
      "where a stranger's file cannot be removed",
      [ANOTHERS],
      () => {
        writeFileSync(`${directory}/${ANOTHERS}`, "");
        chownSync(`${directory}/${ANOTHERS}`, 1234, 1234);
        chmodSync(directory, 0o1777);
        chownSync(directory, 1234, 1234);
      },
    ],
  ] as const) {
    testIf(["root", "program setpriv"], `takes another's place in a directory ${where}`, async () => {
      writeFileSync(`${directory}/name`, "old");
      prepare();
      const module = new URL("../../../src/fs/nameless_file.ts", import.meta.url).pathname;
      const script = `
        import { NamelessFile } from ${JSON.stringify(module)};
        using file = NamelessFile.create(${JSON.stringify(directory)});
        file.write(Buffer.from("new"));
        file.link(${JSON.stringify(`${directory}/name`)});`;

      const without = "--bounding-set=-dac_override,-dac_read_search,-fowner";
      await Bun.$`setpriv ${without} ${process.execPath} -e ${script}`.quiet();

      expect(readFileSync(`${directory}/name`, "utf8")).toBe("new");
      expect(readdirSync(directory).sort()).toEqual([...left, "name"]);
    });
  }

  testIf(
    ["root", "program strace"],
    "has a name of its own where the file system wants one, and removes what a dead writer left, and nothing else",
    async () => {
      writeFileSync(`${directory}/.tmp-bunker-00000000deadbeef`, "dead");
      writeFileSync(`${directory}/.tmp-notes`, "somebody's");
      symlinkSync(".tmp-notes", `${directory}/.tmp-bunker-00000000deadbee1`);
      await Bun.$`mkfifo ${directory}/.tmp-bunker-00000000deadbee2`;
      const others = [".tmp-bunker-00000000deadbee1", ".tmp-bunker-00000000deadbee2", ".tmp-notes"];
      const module = new URL("../../../src/fs/nameless_file.ts", import.meta.url).pathname;
      const script = `
        import { NamelessFile } from ${JSON.stringify(module)};
        import { readdirSync } from "node:fs";
        using file = NamelessFile.create(${JSON.stringify(directory)});
        file.write(Buffer.from("new"));
        console.log(readdirSync(${JSON.stringify(directory)}).length);
        file.link(${JSON.stringify(`${directory}/name`)});`;

      // EOPNOTSUPP for the first open of the directory itself.
      const inject = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        directory,
        "-e",
        "inject=openat:error=EOPNOTSUPP:when=1",
      ];
      const run = await Bun.$`strace ${inject} ${process.execPath} -e ${script}`.quiet();

      expect(run.stdout.toString()).toBe("4\n");
      expect(readdirSync(directory).sort()).toEqual([...others, "name"]);
      expect(readFileSync(`${directory}/name`, "utf8")).toBe("new");
    },
    20_000,
  );
});
