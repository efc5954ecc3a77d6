/**
 * moby CVE-2018-15664: whoever reads a container's files from outside was led out of them by a path that the container
 * swaps meanwhile. Export, commit and diff meet a name that is a directory and a link, a file and a device, in turns.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Box, bunkerFrom } from "../helpers/box.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { listTar } from "../helpers/tar_listing.ts";
import { snapshotTree } from "../helpers/tree_snapshot.ts";
import { App, RUN_NEEDS } from "../kernel/run/app.ts";

const ROUNDS = 4;
const MARKER = "a file of the host";
const TEST_MS_MAX = 120_000;

/** Each pair of names is exchanged for as long as files are read; `@` is a directory of the host. */
const pairs: readonly (readonly [what: string, script: string])[] = [
  [
    "a directory and a link to one of the host",
    "mkdir /srv/one; echo own > /srv/one/victim; ln -s @ /srv/two",
  ],
  ["a file and a link to one of the host", "echo own > /srv/one; ln -s @/victim /srv/two"],
  ["a file and a pipe that nobody writes to", "echo own > /srv/one; mknod /srv/two p"],
  ["a file and a device without an end", "echo own > /srv/one; mknod /srv/two c 1 5"],
  ["a directory and a file", "mkdir /srv/one; echo own > /srv/one/in; echo own > /srv/two"],
];

/** Exchanges /srv/one and /srv/two until it is disposed of. */
class Flipping implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  static async start(root: string): Promise<Flipping> {
    const flip = new URL("../helpers/flip.ts", import.meta.url).pathname;
    const command = [process.execPath, "run", flip, `${root}/srv`, "one", "two"];
    const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    await child.stdout.getReader().read();
    return new Flipping(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    expect(await this.#child.exited).toBe(0);
  }
}

/** Every way to read the container's files, once. @returns what came out, as bytes */
async function readAll(sandbox: Sandbox): Promise<Buffer> {
  const file = (name: string): string => `${sandbox.directory}/${name}.tar`;
  const words = [
    ["export", "-o", file("export"), "box"],
    ["commit", "box", "committed"],
    ["export", "-o", file("commit"), "committed"],
    ["diff", "box"],
  ];
  for (const args of words) {
    const { exitCode, stderr } = await bunkerFrom(sandbox, args);
    expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 0, stderr: "" });
  }
  return Buffer.concat(["export", "commit"].map((name) => readFileSync(file(name))));
}

describe("a container that swaps what is read of it (CVE-2018-15664)", () => {
  for (const [what, script] of pairs) {
    kernelTest(
      `leads nobody out of it, and keeps nobody waiting: ${what}`,
      RUN_NEEDS,
      async (sandbox) => {
        const outside = `${sandbox.directory}/outside`;
        mkdirSync(outside);
        writeFileSync(`${outside}/victim`, MARKER);
        const before = snapshotTree(outside);
        const app = await App.install(sandbox, { entries: [{ name: "srv/" }] });
        const box = await Box.start(app, script.replaceAll("@", outside));

        const seen: Buffer[] = [];
        {
          await using _ = await Flipping.start(box.root);
          for (let round = 0; round < ROUNDS; round += 1) seen.push(await readAll(sandbox));
        }
        await box.end();

        expect(Buffer.concat(seen).includes(MARKER)).toBeFalse();
        expect(snapshotTree(outside)).toEqual(before);
      },
      TEST_MS_MAX,
    );
  }

  kernelTest("gives whole archives of files that grow and shrink", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { entries: [{ name: "srv/" }] });
    const grow =
      "while [ ! -e /stop ]; do echo more >> /srv/grows; : > /srv/shrinks; cat /srv/grows > /srv/shrinks; done";
    const box = await Box.start(app, `: > /srv/grows; (${grow}) &`);
    const file = `${sandbox.directory}/export.tar`;

    for (let round = 0; round < ROUNDS; round += 1) {
      const exported = await bunkerFrom(sandbox, ["export", "-o", file, "box"]);
      const committed = await bunkerFrom(sandbox, ["commit", "--no-pause", "box", `new:${round}`]);
      expect([exported, committed]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
      expect(listTar(readFileSync(file)).some(({ path }) => path === "srv/grows")).toBeTrue();
    }
    await box.do("touch /stop", "stopped");
    await box.end();
  });

  kernelTest(
    "is told when its paths are longer than any archive may have",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox, { entries: [{ name: "srv/" }] });
      const deep = "cd /srv; i=0; while [ $i -lt 2100 ]; do mkdir d; cd d; i=$((i+1)); done; cd /";
      const box = await Box.start(app, deep);
      const words = [
        ["commit", "box", "new"],
        ["export", "-o", `${sandbox.directory}/x`, "box"],
      ];

      const results = [];
      for (const args of words) results.push(await bunkerFrom(sandbox, args));
      await box.end();

      for (const { exitCode, stderr } of results) {
        expect(exitCode).toBe(125);
        expect(stderr).toMatch(/a path has more than 4095 bytes/);
        expect(stderr.length).toBeLessThan(2000);
      }
    },
    TEST_MS_MAX,
  );
});
