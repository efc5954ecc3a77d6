/** `bunker export`: the files of a container or an image, as GNU tar reads them. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { programs } from "../../helpers/bunker.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { listTar } from "../../helpers/tar_listing.ts";
import { listTree, snapshotTree } from "../../helpers/tree_snapshot.ts";
import { App, RUN_NEEDS, type Running } from "../run/app.ts";

const PROGRAM = { program: "bun run src/main.ts" } as const;

/** What a container does before it is looked at; then it waits. */
const WRITE = [
  "mkdir -p /srv/a/b && echo one > /srv/a/one && ln /srv/a/one /srv/a/two && ln -s /etc/passwd /srv/link",
  "chown 7:8 /srv/a/one && chmod 4750 /srv/a/one && rm /bin/wc && echo changed > /etc/group",
  "rm -r /opt/old && mkdir /opt/old && echo new > /opt/old/new && echo x > /srv/.wh.name && mkdir -m 1777 /srv/s",
  "echo ready && read end",
].join(" && ");

const OLD = [{ name: "opt/" }, { name: "opt/old/" }, { name: "opt/old/file", data: "old" }];

async function start(
  sandbox: Sandbox,
  flags: readonly string[] = [],
): Promise<{ app: App; running: Running }> {
  const app = await App.install(sandbox, { entries: OLD });
  const running = app.start(["-i", "--name=box", ...flags], ["/bin/sh", "-c", WRITE]);
  await running.output("ready");
  return { app, running };
}

async function end(running: Running): Promise<void> {
  running.type("end\n");
  expect(await running.exited).toBe(0);
}

/** Unpacks an archive by GNU tar. @returns the directory */
async function unpacked(file: string): Promise<string> {
  const directory = `${file}.d`;
  mkdirSync(directory);
  await Bun.$`tar --numeric-owner --same-owner -xpf ${file} -C ${directory}`.quiet();
  return directory;
}

/** Paths in an archive that was exported to a file. */
async function exported(sandbox: Sandbox, word: string): Promise<readonly string[]> {
  const file = `${sandbox.directory}/exported.tar`;
  expect(await sandbox.bunker(["export", word, "-o", file], PROGRAM)).toMatchObject({
    exitCode: 0,
    stderr: "",
  });
  return listTar(readFileSync(file)).map(({ path }) => path);
}

describe("bunker export", () => {
  kernelTest(
    "waits for a container that is not set up yet",
    [...RUN_NEEDS, "program strace"],
    async (sandbox) => {
      const app = await App.install(sandbox);
      const slowly = ["-e", "trace=fsopen,mount", "-e", "inject=fsopen,mount:delay_enter=500000:when=1"];
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", ...slowly];
      const running = app.start(["-i", "--name=box"], ["/bin/sh", "-c", "read end"], strace);
      const containers = `${sandbox.root}/c`;
      while (!existsSync(containers) || readdirSync(containers).length === 0) await Bun.sleep(1);

      const file = `${sandbox.directory}/box.tar`;
      const { exitCode, stderr } = await sandbox.bunker(["export", "-o", file, "box"], PROGRAM);
      await end(running);

      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    },
  );

  kernelTest("writes what a running container shows, to a file", RUN_NEEDS, async (sandbox) => {
    const { running } = await start(sandbox);
    const file = `${sandbox.directory}/box.tar`;

    const result = await sandbox.bunker(["export", "-o", file, "box"], PROGRAM);
    await end(running);

    expect(result).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    const directory = await unpacked(file);
    const tree = snapshotTree(directory);
    expect(tree["srv/a/one"]).toMatchObject({
      type: "file",
      owner: "7:8",
      mode: "4750",
      links: ["srv/a/two"],
    });
    expect(tree["srv/link"]).toMatchObject({ type: "symlink", content: "/etc/passwd" });
    expect(tree["srv/s"]).toMatchObject({ type: "directory", mode: "1777" });
    expect(readFileSync(`${directory}/etc/group`, "utf8")).toBe("changed\n");
    expect(tree["bin/wc"]).toBeUndefined();
    expect(listTree(`${directory}/opt`)).toEqual(["old/", "old/new"]);
    expect(readFileSync(`${directory}/srv/.wh.name`, "utf8")).toBe("x\n");
    expect(tree["bin/busybox"]?.mode).toBe("755");
    // Mount points are as the image has them, and nothing that is mounted there shows.
    expect(readdirSync(`${directory}/dev`)).toEqual([]);
    expect(readdirSync(`${directory}/etc`)).toEqual(["group", "passwd"]);
  });

  kernelTest("leaves out what is in volumes", RUN_NEEDS, async (sandbox) => {
    const volume = `${sandbox.directory}/volume`;
    mkdirSync(volume);
    writeFileSync(`${volume}/secret`, "secret");
    const { running } = await start(sandbox, [`--volume=${volume}:/data`, "--tmpfs=/scratch"]);

    const paths = await exported(sandbox, "box");
    await end(running);

    expect(paths).toContain("data/");
    expect(paths).toContain("scratch/");
    expect(paths).not.toContain("data/secret");
  });

  kernelTest("writes an image by its name, the same bytes each time", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { entries: OLD, layers: "directories" });
    const [one, two] = [`${sandbox.directory}/one.tar`, `${sandbox.directory}/two.tar`];

    for (const file of [one, two]) await sandbox.bunker(["export", app.reference, "-o", file], PROGRAM);
    const piped = await Bun.$`${programs[PROGRAM.program]} export ${app.reference} | tar tf -`
      .env(app.environment)
      .quiet();

    expect(readFileSync(one).equals(readFileSync(two))).toBeTrue();
    expect(piped.stdout.toString().split("\n")).toContain("opt/old/file");
    const [layer = ""] = readdirSync(`${sandbox.root}/l`).filter((name) => {
      return readdirSync(`${sandbox.root}/l/${name}`).includes("bin");
    });
    const isBase = (path: string) => (/^(?:\.|opt.*)$/.test(path) ? undefined : {});
    expect(snapshotTree(await unpacked(one), isBase)).toEqual(
      snapshotTree(`${sandbox.root}/l/${layer}`, isBase),
    );
  });

  kernelTest("prefers a container's name, and takes the beginning of its id", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const named = app.start(["-i", "--name=app"], ["/bin/sh", "-c", "echo x > /mine; hostname; read end"]);
    const id = (await named.output("\n")).trim();
    await sandbox.bunker(["tag", app.reference, "app"], PROGRAM);

    const listings = [
      await exported(sandbox, "app"),
      await exported(sandbox, id),
      await exported(sandbox, id.slice(0, 6)),
    ];
    await end(named);
    const image = await exported(sandbox, "app");

    for (const listing of listings) expect(listing).toContain("mine");
    expect(image).toContain("bin/busybox");
    expect(image).not.toContain("mine");
  });

  kernelTest(
    "refuses what is neither, and a terminal, and leaves no file",
    [...RUN_NEEDS, "program script"],
    async (sandbox) => {
      await App.install(sandbox);
      const file = `${sandbox.directory}/x.tar`;

      const nothing = await sandbox.bunker(["export", "nobody", "-o", file], PROGRAM);
      const command = `${programs[PROGRAM.program].join(" ")} export nobody`;
      const terminal = await Bun.$`script -qec ${command} /dev/null < /dev/null`.nothrow().text();

      expect(nothing.exitCode).toBe(125);
      expect(nothing.stderr).toStartWith('bunker: Cannot find container "nobody"');
      expect(terminal).toContain("cowardly refusing to export to a terminal");
      expect(readdirSync(sandbox.directory).filter((name) => name.startsWith("x"))).toEqual([]);
    },
  );
});
