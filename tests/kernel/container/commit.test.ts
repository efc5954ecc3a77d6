/** `bunker commit` and `diff`: what a container has changed, told and kept. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Box, bunkerFrom, rootTree } from "../../helpers/box.ts";
import { refusalOf } from "../../helpers/pull_place.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { type ListedEntry, listTar } from "../../helpers/tar_listing.ts";
import { App, baseLayer, RUN_NEEDS } from "../run/app.ts";

/** Files of the image for every kind of change. */
const OLD: readonly TarEntry[] = [
  ...[
    "a/",
    "a/sub/",
    "a/sub/deep",
    "a/one",
    "a/two",
    "b/",
    "b/one",
    "c/",
    "c/one",
    "d/",
    "d/one",
    "e/",
    "e/f",
  ],
  ...[
    "g/",
    "h/",
    "h/x/",
    "h/x/y",
    "k/",
    "k/one",
    "l/",
    "l/m/",
    "l/m/n",
    "p/",
    "p/one",
    "q/",
    "q/one",
    "s/",
    "s/one",
  ],
].map((name) => ({ name: `opt/${name}`, ...(name.endsWith("/") ? {} : { data: name }) }));

/** Every kind of change. */
const CHANGES = `
rm -r /opt/a; mkdir /opt/a; mkdir /opt/a/sub; echo x > /opt/a/one; echo y > /opt/a/new
echo more >> /opt/b/one
rm /opt/c/one
mv /opt/d/one /opt/d/two
chmod 700 /opt/e
touch /opt/g/f; rm /opt/g/f
rm -r /opt/h
mkdir -p /new/dir; ln -s x /new/link; echo 1 > /new/one; ln /new/one /new/two
chown 5 /opt/k/one
echo z > /opt/l/m/z
rm -r /opt/p; echo file > /opt/p
rm /opt/q/one; mkdir /opt/q/one; touch /opt/q/one/in
chmod 644 /opt/s/one
`;

const DIFF = `
A /new
A /new/dir
A /new/link
A /new/one
A /new/two
C /opt
C /opt/a
A /opt/a/new
C /opt/a/one
C /opt/a/sub
D /opt/a/sub/deep
D /opt/a/two
C /opt/b
C /opt/b/one
C /opt/c
D /opt/c/one
C /opt/d
D /opt/d/one
A /opt/d/two
C /opt/e
C /opt/k
C /opt/k/one
C /opt/l
C /opt/l/m
A /opt/l/m/z
C /opt/p
C /opt/q
C /opt/q/one
A /opt/q/one/in
D /opt/h
`;

/** Entries of the layer that a commit makes of them. */
const ENTRIES = [
  ...[
    "new/",
    "new/dir/",
    "new/link",
    "new/one",
    "new/two",
    "opt/",
    "opt/.wh.h",
    "opt/a/",
    "opt/a/.wh..wh..opq",
  ],
  ...["opt/a/new", "opt/a/one", "opt/a/sub/", "opt/b/", "opt/b/one", "opt/c/", "opt/c/.wh.one", "opt/d/"],
  ...[
    "opt/d/.wh.one",
    "opt/d/two",
    "opt/e/",
    "opt/g/",
    "opt/k/",
    "opt/k/one",
    "opt/l/",
    "opt/l/m/",
    "opt/l/m/z",
  ],
  ...["opt/p", "opt/q/", "opt/q/one/", "opt/q/one/in", "opt/s/", "opt/s/one"],
];

const sortedLines = (text: string): string[] => text.trim().split("\n").sort();

interface Inspected {
  readonly Id: string;
  readonly RootFS: { readonly Layers: readonly string[] };
}

async function inspect(sandbox: Sandbox, image: string): Promise<Inspected> {
  const { stdout } = await bunkerFrom(sandbox, ["inspect", image]);
  return JSON.parse(stdout)[0];
}

/** The topmost layer of an image, from its blob. */
async function topLayer(sandbox: Sandbox, image: string): Promise<ListedEntry[]> {
  const { Id } = await inspect(sandbox, image);
  const blob = (digest: string): Buffer => readFileSync(`${sandbox.root}/blobs/sha256/${digest.slice(7)}`);
  const manifests = readdirSync(`${sandbox.root}/blobs/sha256`)
    .map((name) => blob(`sha256:${name}`))
    .filter((bytes) => bytes[0] === 0x7b)
    .map((bytes) => JSON.parse(bytes.toString()));
  const manifest = manifests.find(({ config }) => config?.digest === Id);
  return listTar(gunzipSync(blob(manifest.layers.at(-1).digest)));
}

async function committed(
  sandbox: Sandbox,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const result = await bunkerFrom(sandbox, ["commit", ...args], env);
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  expect(result.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  return result.stdout.trimEnd();
}

describe("bunker diff", () => {
  kernelTest("tells what was added, changed and deleted, and no more", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { entries: [{ name: "opt/" }, ...OLD] });
    const box = await Box.start(app, CHANGES);

    const text = await bunkerFrom(sandbox, ["diff", "box"]);
    const json = await bunkerFrom(sandbox, ["diff", "--json", "box"]);
    await box.end();

    expect(text).toMatchObject({ exitCode: 0, stderr: "" });
    expect(sortedLines(text.stdout)).toEqual(sortedLines(DIFF));
    const lines = (JSON.parse(json.stdout) as { kind: string; path: string }[]).map(
      ({ kind, path }) => `${kind} ${path}`,
    );
    expect(`${lines.join("\n")}\n`).toBe(text.stdout);
  });

  kernelTest("says nothing of a container that has written nothing", RUN_NEEDS, async (sandbox) => {
    const box = await Box.start(await App.install(sandbox), "true");

    const result = await bunkerFrom(sandbox, ["diff", "box"]);
    await box.end();

    expect(result).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describe("bunker commit", () => {
  kernelTest("makes an image that shows what the container showed", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { entries: [{ name: "opt/" }, ...OLD] });
    const box = await Box.start(app, CHANGES);

    await committed(sandbox, ["box", "new:1"]);
    const before = rootTree(box.root);
    await box.end();
    const again = await Box.start(app.as("new:1"), "true");
    const after = rootTree(again.root);
    await again.end();

    expect(after).toEqual(before);
    const entries = await topLayer(sandbox, "new:1");
    expect(entries.map(({ path }) => path).sort()).toEqual([...ENTRIES].sort());
    expect(entries.find(({ path }) => path === "new/two")).toMatchObject({
      type: "link",
      linkPath: "new/one",
    });
    expect((await bunkerFrom(sandbox, ["system", "check"])).exitCode).toBe(0);
  });

  kernelTest(
    "keeps what the container was started with, and adds what is asked for",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox, {
        config: { Env: ["PATH=/bin", "A=1", "B=2"], Cmd: ["/bin/cat"], Labels: { a: "b" }, User: "user" },
      });
      const box = await Box.start(app, "true", [
        "-e",
        "A=3",
        "-e",
        "NONE",
        "-e",
        "C=4",
        "-w",
        "/tmp",
        "-u",
        "0",
      ]);

      const changes = ["-c", "CMD echo hey", "-c", "ENV D=$A", "-a", "Ann", "-m", "why"];
      await committed(sandbox, [...changes, "box", "new"], { SOURCE_DATE_EPOCH: "1000000000" });
      await box.end();
      const run = await bunkerFrom(sandbox, ["run", "new"]);
      const [inspected] = JSON.parse((await bunkerFrom(sandbox, ["inspect", "new"])).stdout);
      const history = await bunkerFrom(sandbox, ["history", "--json", "new"]);

      expect(run.stdout).toBe("hey\n");
      expect(inspected).toMatchObject({
        Author: "Ann",
        Created: "2001-09-09T01:46:40Z",
        Config: {
          Env: ["PATH=/bin", "B=2", "A=3", "C=4", "D=3"],
          Cmd: ["/bin/sh", "-c", "echo hey"],
          Labels: { a: "b" },
          User: "0",
          WorkingDir: "/tmp",
        },
      });
      expect(JSON.parse(history.stdout)[0]).toMatchObject({ comment: "why", sizeBytes: 0 });
      expect(JSON.parse(history.stdout)[0].createdBy).toStartWith("/bin/sh -c true");
    },
  );

  kernelTest("adds no layer for a container that has written nothing", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(app, "true");

    await committed(sandbox, ["box", "same"]);
    await box.end();

    const [before, after] = [await inspect(sandbox, app.reference), await inspect(sandbox, "same")];
    expect(after.RootFS).toEqual(before.RootFS);
    expect(after.Id).not.toBe(before.Id);
  });

  kernelTest(
    "makes the same image of the same container, and of one after the other",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const box = await Box.start(app, "echo 1 > /srv; mkdir /d");
      const env = { SOURCE_DATE_EPOCH: "1000000000" };

      const first = await committed(sandbox, ["box", "one"], env);
      const second = await committed(sandbox, ["box"], env);
      await box.do("echo 2 > /srv", "changed");
      const third = await committed(sandbox, ["box", "two"], env);
      await box.end();

      expect(second).toBe(first);
      expect(third).not.toBe(first);
      const [file] = (await topLayer(sandbox, "one")).filter(({ path }) => path === "srv");
      expect(file).toMatchObject({ data: "1\n", mtime: { seconds: 1_000_000_000, nanoseconds: 0 } });
    },
  );

  kernelTest(
    "works when the image has lost its name and was pruned meanwhile",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const box = await Box.start(app, "echo 1 > /srv");
      const other = `${sandbox.directory}/other.tar`;
      await bunkerFrom(sandbox, ["export", "box", "-o", other]);
      await bunkerFrom(sandbox, ["import", other, app.reference]);
      await bunkerFrom(sandbox, ["image", "prune", "-f"]);

      await committed(sandbox, ["box", "new"]);
      await box.end();

      expect((await bunkerFrom(sandbox, ["run", "new", "/bin/cat", "/srv"])).stdout).toBe("1\n");
    },
  );

  kernelTest("keeps neither volumes nor what is mounted for every container", RUN_NEEDS, async (sandbox) => {
    const volume = `${sandbox.directory}/volume`;
    mkdirSync(volume);
    writeFileSync(`${volume}/secret`, "secret");
    const image = {
      layers: [
        {
          entries: [...(baseLayer().entries ?? [])].filter(
            ({ name }) => !/^(?:dev|proc|sys)/.test(String(name)),
          ),
        },
      ],
    };
    const app = await App.install(sandbox, { image });
    const box = await Box.start(app, "echo 1 > /dev/shm/x; echo 2 > /tmp/y", ["-v", `${volume}:/data`]);

    await committed(sandbox, ["box", "new"]);
    await box.end();

    const paths = (await topLayer(sandbox, "new")).map(({ path }) => path);
    expect(paths).toEqual(["data/", "tmp/", "tmp/y"]);
  });

  kernelTest("keeps holes, and names a file that has too many of them", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const make = (path: string, megabytes: number): string =>
      `dd if=/dev/null of=${path} bs=1048576 count=0 seek=${megabytes} 2> /dev/null`;
    const box = await Box.start(
      app,
      `mkdir /var/log; ${make("/var/log/sparse", 100)}; ${make("/log", 2 ** 20)}`,
    );
    const target = `${sandbox.directory}/all.tar`;

    const commit = refusalOf(await bunkerFrom(sandbox, ["commit", "box", "new"]));
    const exported = refusalOf(await bunkerFrom(sandbox, ["export", "-o", target, "box"]));
    await box.do("rm /log", "removed");
    await committed(sandbox, ["box", "new"]);
    await box.end();
    const shown = await app.as("new").sh("stat -c '%s %b' /var/log/sparse");

    const reason = 'Cannot archive "/log": with it, 1024 GiB of holes would become zeros';
    expect([commit.message, exported.message]).toEqual([reason, reason]);
    expect(commit.hints).toEqual(["Remove it, or shorten it with truncate; an archive takes 64 GiB of them"]);
    expect(existsSync(target)).toBeFalse();
    const [size, blocks] = shown.trim().split(" ").map(Number);
    expect(size).toBe(100 * 2 ** 20);
    expect(blocks).toBeLessThan(1000);
  });

  kernelTest("refuses what it cannot do, before it changes anything", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const box = await Box.start(
      app,
      "echo 1 > /srv/.wh.name 2>/dev/null || { mkdir /srv; echo 1 > /srv/.wh.name; }",
    );
    const before = readdirSync(`${sandbox.root}/blobs/sha256`);

    const refusals = [];
    for (const args of [
      ["nobody"],
      ["box", `x@sha256:${"0".repeat(64)}`],
      ["-c", "RUN x", "box"],
      ["box", "new"],
    ])
      refusals.push(refusalOf(await bunkerFrom(sandbox, ["commit", ...args])));
    await box.end();

    expect(refusals.map(({ exitCode }) => exitCode)).toEqual([125, 125, 125, 125]);
    expect(refusals.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Cannot find container "nobody"/),
      expect.stringMatching(/a digest is what it has/),
      expect.stringMatching(/^Cannot apply the change "RUN x"/),
      expect.stringMatching(/^Cannot commit container [0-9a-f]{12}$/),
    ]);
    expect(refusals[3]?.because.join()).toStartWith('Cannot put "/srv/.wh.name" into a layer');
    expect(readdirSync(`${sandbox.root}/blobs/sha256`)).toEqual(before);
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
  });
});
