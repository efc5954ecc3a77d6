/** `bunker tag`, `rmi` and `image prune`: names, what goes with the last one, and what containers and pulls keep. */
import { describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import { type BuiltImage, buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { executable } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, baseLayer, RUN_NEEDS } from "../kernel/run/app.ts";

const shared = { entries: [{ name: "shared", data: "shared" }] };
const one = buildImage({ layers: [shared, { entries: [{ name: "one" }] }] });
const two = buildImage({
  layers: [shared, { entries: [{ name: "two" }] }],
  config: { Labels: { kind: "two" } },
});
const images = { "one:latest": one, "two:7": two };
/** More than is removed while somebody waits. */
const FILES = 3000;
/** Calls that change names; each is killed once. */
const CHANGES = "rename,renameat,renameat2,unlink,unlinkat,rmdir";
const KILLS_MS_MAX = 120_000;
const EMPTY = { blobs: [], layers: [], directories: [] };

describe("bunker tag", () => {
  kernelTest("gives an image a second name, by name and by id", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");

    const byName = await place.bunker(["tag", place.name("one"), "other"]);
    const byId = await place.bunker(["tag", one.configDigest.slice(7, 19), "local/third:x"]);

    for (const { exitCode, stdout, stderr } of [byName, byId]) {
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    }
    expect((await namesIn(place)).sort()).toEqual([
      `${place.name("one")}:latest`,
      "local/third:x",
      "other:latest",
    ]);
  });

  kernelTest("moves a name that another image has", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);

    await place.bunker(["tag", place.name("two:7"), place.name("one")]);

    const named = await place.bunker(["images", "-q", "--no-trunc", "--filter", "dangling=false"]);
    expect(named.stdout).toBe(`${two.configDigest}\n`);
    const left = await place.bunker(["images", "--format", "{{.ID}} {{.Tag}} {{.Digest}}", "--no-trunc"]);
    expect(left.stdout).toContain(`${one.configDigest} <none> ${one.digest}\n`);
  });

  kernelTest(
    "gives an image that lost its tag a name again, and then it has no other",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["one", "two:7"]) await place.pull(name);
      await place.bunker(["tag", place.name("two:7"), place.name("one")]);

      await place.bunker(["tag", `${place.name("one")}@${one.digest}`, "back"]);

      const names = (await namesIn(place)).sort();
      expect(names).toEqual([`${place.name("one")}:latest`, `${place.name("two")}:7`, "back:latest"]);
      expect((await place.bunker(["images", "-q", "--filter", "dangling=true"])).stdout).toBe("");
    },
  );

  kernelTest("refuses an image that is not here, and a digest for a name", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");

    const missing = await place.refusal(["tag", "nowhere", "x"]);
    const digest = await place.refusal(["tag", place.name("one"), `x@${one.digest}`]);

    expect(missing).toMatchObject({ exitCode: 125, message: 'Cannot find image "nowhere": it is not here' });
    expect(digest.message).toStartWith(`Cannot tag "x@${one.digest}": a digest is`);
    expect(await namesIn(place)).toEqual([`${place.name("one")}:latest`]);
  });
});

describe("bunker rmi", () => {
  kernelTest("tells in docker's lines what went, and leaves what is shared", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);

    const first = await place.bunker(["rmi", place.name("one")]);
    const stillRuns = await place.bunker(["images", "-q", "--no-trunc"]);
    const second = await place.bunker(["rmi", two.configDigest.slice(7, 19)]);

    const [lowest] = one.layers;
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.stdout).toBe(
      `Untagged: ${place.name("one")}:latest\nUntagged: ${place.name("one")}@${one.digest}\n` +
        `Deleted: ${one.configDigest}\nDeleted: ${chainOf(one)}\n`,
    );
    expect(stillRuns.stdout).toBe(`${two.configDigest}\n`);
    expect(second.stdout.trimEnd().split("\n").slice(2)).toEqual([
      `Deleted: ${two.configDigest}`,
      `Deleted: ${chainOf(two)}`,
      `Deleted: ${lowest?.diffId}`,
    ]);
    expect(contentOf(sandbox)).toEqual(EMPTY);
  });

  kernelTest("takes one of several names only", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    await place.bunker(["tag", place.name("one"), "other"]);

    const { stdout } = await place.bunker(["rmi", "other"]);
    const several = await place.bunker(["tag", place.name("one"), "other"]);
    const refused = await place.refusal(["rmi", one.configDigest]);
    const forced = await place.bunker(["rmi", "-f", one.configDigest]);

    expect(stdout).toBe(`Untagged: other:latest\nUntagged: other@${one.digest}\n`);
    expect(several.exitCode).toBe(0);
    expect(refused).toMatchObject({ exitCode: 1, hints: [expect.stringContaining("-f")] as string[] });
    expect(forced.stdout).toContain(`Deleted: ${one.configDigest}\n`);
    expect(contentOf(sandbox)).toEqual(EMPTY);
  });

  kernelTest("goes on after an image that is not here, and fails then", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");

    const { exitCode, stdout, stderr } = await place.bunker(["rmi", "nowhere", place.name("one")]);
    const forced = await place.bunker(["rmi", "-f", "nowhere"]);

    expect(exitCode).toBe(1);
    expect(stderr).toStartWith('bunker: Cannot find image "nowhere": it is not here\n');
    expect(stdout).toContain(`Deleted: ${one.configDigest}\n`);
    expect(forced).toMatchObject({ exitCode: 0, stdout: "" });
  });

  kernelTest("refuses an image that a running container uses, by force too", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const before = contentOf(sandbox);
    await using running = app.start(["-i"], ["sh", "-c", "echo up; read line; ls /bin/busybox"]);
    await running.output("up");

    const refused = await rmi(sandbox, ["-f", app.reference]);
    await sandbox.bunker(["tag", app.reference, "second"], SOURCES);
    const untagged = await rmi(sandbox, [app.reference]);
    running.type("on\n");

    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(
      /^bunker: Cannot remove image "[^"]+": the running container [0-9a-f]{12} uses it\n/,
    );
    expect(untagged.stdout).not.toContain("Deleted");
    expect(contentOf(sandbox)).toEqual(before);
    expect(await running.rest()).toEndWith("/bin/busybox\n");
    expect(await running.exited).toBe(0);
    expect((await rmi(sandbox, ["second"])).exitCode).toBe(0);
    expect(contentOf(sandbox)).toEqual(EMPTY);
  });

  kernelTest("keeps the layers of a container whose image lost its name", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const kept = contentOf(sandbox).directories;
    await using running = app.start(["-i"], ["sh", "-c", "echo up; read line; ls /bin/busybox"]);
    await running.output("up");
    const newer = await App.install(sandbox, { entries: [{ name: "newer" }] });
    await sandbox.bunker(["tag", newer.reference, app.reference], SOURCES);

    const pruned = await sandbox.bunker(["image", "prune", "-f"], SOURCES);
    running.type("on\n");

    expect(pruned.exitCode).toBe(0);
    expect(contentOf(sandbox).directories).toEqual(expect.arrayContaining(kept));
    expect(await running.rest()).toEndWith("/bin/busybox\n");
  });

  for (const error of ["EMFILE", "EIO", "ENOMEM"]) {
    kernelTest(
      `keeps what may be in use when nobody can tell (${error})`,
      [...RUN_NEEDS, "the executable", "program strace"],
      async (sandbox) => {
        const app = await App.install(sandbox);
        await using running = app.start(["-i"], ["sh", "-c", "echo up; read line; ls /bin/busybox"]);
        await running.output("up");
        const before = contentOf(sandbox);
        const [id = ""] = readdirSync(`${sandbox.root}/c`).filter((name) => /^[0-9a-f]{12}$/.test(name));
        const fault = ["-P", id, "-e", "trace=openat", "-e", `inject=openat:error=${error}`];
        const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", ...fault];

        const results = [];
        for (const words of [
          ["rmi", "-f", app.reference],
          ["image", "prune", "-af"],
          ["system", "prune", "-af"],
        ])
          results.push(await sandbox.bunker(words, { wrapper }));
        running.type("on\n");

        expect(results.map(({ stderr }) => stderr)).toEqual(
          results.map(() => expect.stringContaining(`because: openat("${sandbox.root}/c/${id}"): ${error}`)),
        );
        expect(contentOf(sandbox)).toEqual(before);
        expect(await running.rest()).toEndWith("/bin/busybox\n");
        expect(await running.exited).toBe(0);
      },
    );
  }

  kernelTest("names the file that cannot be removed", [...PULL_NEEDS, "program strace"], async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const fault = ["-e", "trace=unlink", "-e", "inject=unlink:error=EPERM"];
    const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", ...fault];

    const { message } = await place.refusal(["rmi", place.name("one")], { wrapper });

    expect(message).toStartWith(`Cannot remove "${sandbox.root}/refs/`);
  });

  kernelTest("leaves many files to a process in the background, which ends", PULL_NEEDS, async (sandbox) => {
    const entries = Array.from({ length: FILES }, (_, index) => ({ name: `file-${index}` }));
    await using place = new PullPlace(sandbox, { "many:latest": buildImage({ layers: [{ entries }] }) });
    await place.pull("many");

    const { exitCode, stderr } = await place.bunker(["rmi", place.name("many")]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(contentOf(sandbox)).toEqual(EMPTY);
    // The sandbox looks for what is in "tmp", and for processes, until they are gone.
  });
});

describe("kill -9 in the middle of bunker rmi", () => {
  kernelTest(
    "leaves a whole store at every call that changes it, and the next command takes the rest away",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      let killed = 0;
      for (let call = 1; ; call += 1) {
        for (const name of ["one", "two:7"]) await place.pull(name);
        const inject = `inject=${CHANGES}:signal=SIGKILL:when=${call}`;
        const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${CHANGES}`, "-e", inject];
        const child = Bun.spawn([...strace, executable, "rmi", place.name("one")], {
          env: {
            PATH: process.env["PATH"],
            HOME: "/",
            BUNKER_ROOT: sandbox.root,
            BUNKER_STATE: sandbox.state,
          },
          stdout: "ignore",
          stderr: "ignore",
        });
        await child.exited;

        const check = await place.bunker(["system", "check"]);
        expect({ call, ...check }).toMatchObject({
          exitCode: 0,
          stdout: expect.stringMatching(/no fault\n$/) as string,
        });
        await place.bunker(["rmi", "-f", place.name("one"), place.name("two:7")]);
        await place.bunker(["image", "prune", "-f"]);
        expect({ call, ...contentOf(sandbox) }).toEqual({ call, ...EMPTY });
        if (child.signalCode === null) break;
        killed += 1;
      }

      expect(killed).toBeGreaterThan(5);
    },
    KILLS_MS_MAX,
  );
});

describe("a newer image under the same tag", () => {
  kernelTest("leaves the older one as <none>, which runs by its digest", PULL_NEEDS, async (sandbox) => {
    const older = buildImage({ layers: [baseLayer()], config: { Env: ["PATH=/bin"] } });
    await using place = new PullPlace(sandbox, { "app:latest": older });
    await place.pull();
    place.registry.add("app:latest", one);

    await place.pull();

    const list = await place.bunker(["images", "--no-trunc", "--format", "{{.ID}} {{.Tag}}"]);
    expect(list.stdout.trim().split("\n").sort()).toEqual(
      [`${one.configDigest} latest`, `${older.configDigest} <none>`].sort(),
    );
    const run = await place.bunker(["run", "--pull=never", `${place.name()}@${older.digest}`, "echo", "hey"]);
    expect(run).toMatchObject({ exitCode: 0, stdout: "hey\n", stderr: "" });
  });
});

describe("bunker image prune", () => {
  kernelTest("removes an image that lost its tag, and no other", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);
    await place.bunker(["tag", place.name("two:7"), place.name("one")]);

    const pruned = await place.bunker(["image", "prune", "--force"]);

    expect(pruned).toMatchObject({ exitCode: 0, stderr: "" });
    expect(pruned.stdout).toStartWith(`Deleted Images:\nuntagged: ${place.name("one")}@${one.digest}\n`);
    expect(pruned.stdout).toContain(`deleted: ${one.configDigest}\n`);
    expect(pruned.stdout).toMatch(/\n\nTotal reclaimed space: [0-9.]+k?B\n$/);
    expect(await namesIn(place)).toHaveLength(2);
    expect(await place.bunker(["image", "prune", "-f"])).toMatchObject({
      stdout: "Total reclaimed space: 0B\n",
    });
  });

  kernelTest("asks first, and takes the end of input for no", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");

    const silent = await place.bunker(["image", "prune", "-a"]);
    const kept = await namesIn(place);
    const yes = await place.bunker(["image", "prune", "-a"], { stdin: "y\n" });

    expect(silent).toMatchObject({ exitCode: 0, stderr: "" });
    expect(silent.stdout).toEndWith("Are you sure you want to continue? [y/N] ");
    expect(kept).toHaveLength(1);
    expect(yes.stdout).toContain(`untagged: ${place.name("one")}:latest\n`);
    expect(contentOf(sandbox)).toEqual(EMPTY);
  });

  kernelTest("removes with -a only images for which the filter holds", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["one", "two:7"]) await place.pull(name);

    await place.bunker(["image", "prune", "-af", "--filter", "label=kind=two"]);
    const refusal = await place.refusal(["image", "prune", "-af", "--filter", "color=red"]);

    expect(await namesIn(place)).toEqual([`${place.name("one")}:latest`]);
    expect(refusal.message).toBe(
      'Cannot filter by "color=red": expected NAME=VALUE with label, label!, until',
    );
  });
});

const SOURCES = { program: "bun run src/main.ts" } as const;

const rmi = (sandbox: Sandbox, words: readonly string[]) => sandbox.bunker(["rmi", ...words], SOURCES);

async function namesIn(place: PullPlace): Promise<string[]> {
  const { stdout } = await place.bunker(["images", "--json"]);
  return (JSON.parse(stdout) as { repository: string; tag: string }[]).map(
    ({ repository, tag }) => `${repository}:${tag}`,
  );
}

/** What the store holds, apart from records. */
function contentOf({ root }: Sandbox): Record<keyof typeof EMPTY, readonly string[]> {
  return {
    blobs: readdirSync(`${root}/blobs/sha256`).sort(),
    layers: readdirSync(`${root}/layers`).sort(),
    directories: readdirSync(`${root}/l`).sort(),
  };
}

/** ChainID of an image with two layers. */
function chainOf({ layers: [below, above] }: BuiltImage): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${below?.diffId} ${above?.diffId}`);
  return `sha256:${hash.digest("hex")}`;
}
