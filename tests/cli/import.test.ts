/** `bunker import`: images of archives of files, whoever made them; hostile ones are refused as by a pull. */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { zstdCompressSync } from "node:zlib";
import { programs } from "../helpers/bunker.ts";
import { refused as hostile } from "../helpers/hostile_layers.ts";
import { PULL_NEEDS, type Refusal, refusalOf } from "../helpers/pull_place.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";
import { listTar } from "../helpers/tar_listing.ts";
import { snapshotTree } from "../helpers/tree_snapshot.ts";
import { baseLayer } from "../kernel/run/app.ts";

const { entries: base = [] } = baseLayer();

/** One of each kind that an image can hold. */
const rich: readonly TarEntry[] = [
  ...base,
  { name: "srv/", mode: 0o2775, uid: 5, gid: 6 },
  { name: "srv/one", data: "1", mode: 0o4755, uid: 1000, xattrs: { "user.a": "b\0c" } },
  { name: "srv/two", type: "hardlink", link: "srv/one" },
  { name: "srv/null", type: "char", major: 1, minor: 3 },
  { name: "srv/fifo", type: "fifo" },
  { name: `srv/${"long".repeat(60)}`, type: "symlink", link: "../far".repeat(50) },
  { name: Buffer.from("srv/\xff\xfe", "latin1"), data: "bytes" },
];

/** Writes an archive into the sandbox. @returns its path */
function archive(sandbox: Sandbox, content: readonly TarEntry[] | Uint8Array, name = "files.tar"): string {
  const file = `${sandbox.directory}/${name}`;
  writeFileSync(file, content instanceof Uint8Array ? content : buildTar(content));
  return file;
}

async function imported(
  sandbox: Sandbox,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const result = await sandbox.bunker(["import", ...args], { env });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  expect(result.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  return result.stdout.trimEnd();
}

async function refusal(sandbox: Sandbox, args: readonly string[]): Promise<Refusal> {
  return refusalOf(await sandbox.bunker(["import", ...args]));
}

/** All that the store holds of images. */
const content = (sandbox: Sandbox): object =>
  snapshotTree(sandbox.root, (path, { type }) =>
    /^(?:locks|base|c|cache)(?:\/|$)/.test(path) ? undefined : type === "directory" ? { mtime: "" } : {},
  );

describe("bunker import", () => {
  kernelTest(
    "makes an image that runs, with the changes that were asked for",
    PULL_NEEDS,
    async (sandbox) => {
      const file = archive(sandbox, rich);
      const changes = ['CMD ["sh", "-c", "echo $A $PWD"]', "ENV A=1 PATH=/bin", "WORKDIR /srv", "LABEL a=b"];

      const id = await imported(sandbox, [
        ...changes.flatMap((line) => ["-c", line]),
        "-m",
        "hello",
        file,
        "my/app:1",
      ]);
      const run = await sandbox.bunker(["run", "my/app:1"]);
      const inspected = await sandbox.bunker(["inspect", "my/app:1"]);
      const history = await sandbox.bunker([
        "history",
        "--format",
        "{{.Comment}}|{{.CreatedBy}}",
        "my/app:1",
      ]);

      expect(run).toMatchObject({ exitCode: 0, stdout: "1 /srv\n" });
      expect(JSON.parse(inspected.stdout)).toMatchObject([
        {
          Id: id,
          RepoTags: ["my/app:1"],
          Config: { Env: ["A=1", "PATH=/bin"], WorkingDir: "/srv", Labels: { a: "b" } },
          RootFS: { Layers: [expect.any(String)] },
        },
      ]);
      expect(history.stdout).toBe("hello|\n");
      expect((await sandbox.bunker(["system", "check"])).exitCode).toBe(0);
    },
  );

  kernelTest("makes the same image of the same files, however compressed", PULL_NEEDS, async (sandbox) => {
    const tar = buildTar(rich);
    const env = { SOURCE_DATE_EPOCH: "1000000000" };
    const files = {
      plain: tar,
      gzip: Bun.gzipSync(tar),
      zstd: zstdCompressSync(tar),
    };

    const ids = [];
    for (const [name, bytes] of Object.entries(files)) {
      ids.push(await imported(sandbox, [archive(sandbox, bytes, name), `local/${name}`], env));
    }

    expect(new Set(ids).size).toBe(1);
    expect(readdirSync(`${sandbox.root}/l`)).toHaveLength(1);
    const inspected = await sandbox.bunker(["inspect", "-f", "{{.Created}}", "local/zstd"]);
    expect(inspected.stdout).toBe("2001-09-09T01:46:40Z\n");
  });

  kernelTest("gives what it was given back to export", PULL_NEEDS, async (sandbox) => {
    const { PATH = "" } = process.env;
    const env = { PATH, HOME: "/", BUNKER_ROOT: sandbox.root, BUNKER_STATE: sandbox.state };
    const bunker = programs["dist/bunker"];
    await imported(sandbox, [archive(sandbox, rich), "one"]);
    const file = (name: string): string => `${sandbox.directory}/${name}.tar`;

    await Bun.$`${bunker} export one | ${bunker} import - two`.env(env).quiet();
    for (const name of ["one", "two"]) await sandbox.bunker(["export", name, "-o", file(name)]);

    expect(readFileSync(file("two")).equals(readFileSync(file("one")))).toBeTrue();
    const paths = listTar(readFileSync(file("one"))).map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(rich.map(({ name }) => Buffer.from(name as string).toString("latin1"))),
    );
  });

  kernelTest("names an image without a name by its digest", PULL_NEEDS, async (sandbox) => {
    const id = await imported(sandbox, [archive(sandbox, base)]);

    const images = await sandbox.bunker(["images", "-q", "--no-trunc"]);
    const run = await sandbox.bunker(["run", id.slice(7, 19), "/bin/echo", "hey"]);

    expect(images.stdout).toBe(`${id}\n`);
    expect(run.stdout).toBe("hey\n");
  });

  kernelTest("makes an image for another platform when asked to", PULL_NEEDS, async (sandbox) => {
    await imported(sandbox, ["--platform=linux/arm64", archive(sandbox, base), "arm"]);

    const inspected = await sandbox.bunker(["inspect", "-f", "{{.Os}}/{{.Architecture}}", "arm"]);

    expect(inspected.stdout).toBe("linux/arm64\n");
  });
});

describe("bunker import of what it should not take", () => {
  kernelTest("refuses hostile archives as a pull does, and keeps nothing", PULL_NEEDS, async (sandbox) => {
    await imported(sandbox, [archive(sandbox, base), "good"]);
    const before = content(sandbox);

    for (const [what, entries] of hostile) {
      const { exitCode, because } = await refusal(sandbox, [archive(sandbox, entries), "bad"]);

      expect([what, exitCode]).toEqual([what, 125]);
      expect(because.join("\n")).toMatch(/^Cannot unpack entry "/);
    }

    expect(content(sandbox)).toEqual(before);
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
  });

  kernelTest(
    "starts no program, whatever the archive is compressed by (CVE-2026-41567)",
    PULL_NEEDS,
    async (sandbox) => {
      const [bin, marker] = [`${sandbox.directory}/bin`, `${sandbox.directory}/marker`];
      mkdirSync(bin);
      for (const name of ["gzip", "unpigz", "zstd", "xz", "unxz", "bzip2", "tar"]) {
        writeFileSync(`${bin}/${name}`, `#!/bin/sh\necho ${name} >> ${marker}\n`);
        chmodSync(`${bin}/${name}`, 0o755);
      }
      const env = { PATH: `${bin}:${process.env["PATH"]}` };
      const streams = { gzip: Bun.gzipSync(buildTar(base)), zstd: zstdCompressSync(buildTar(base)) };
      const magics = { xz: "fd377a585a0000", bzip2: "425a6839314159" };

      for (const [name, bytes] of Object.entries(streams))
        await imported(sandbox, [archive(sandbox, bytes), name], env);
      for (const [name, hex] of Object.entries(magics)) {
        const result = await sandbox.bunker(["import", archive(sandbox, Buffer.from(hex, "hex"))], { env });
        expect(refusalOf(result).because).toEqual([`Cannot decompress layer: ${name} is not supported`]);
      }

      expect(existsSync(marker)).toBeFalse();
    },
  );

  kernelTest(
    "refuses archives that are damaged or cut short, in every compression",
    PULL_NEEDS,
    async (sandbox) => {
      const tar = buildTar([{ name: "srv/" }, { name: "srv/data", data: noise(20_000) }]);
      const cases: readonly [Uint8Array, string][] = [
        [tar.subarray(0, 5000), "Cannot read archive: it is cut short"],
        [Bun.gzipSync(tar).subarray(0, -9), "unexpected end of file"],
        [zstdCompressSync(tar).subarray(0, -9), "unexpected end of file"],
        [Buffer.concat([Bun.gzipSync(tar), Buffer.from("what is this")]), "incorrect header"],
        [noise(4096), "Cannot read archive"],
        [buildTar([{ name: "x", checksum: 1 }]), "checksum"],
      ];

      for (const [bytes, expected] of cases) {
        const { exitCode, because } = await refusal(sandbox, [archive(sandbox, bytes), "bad"]);
        expect(exitCode).toBe(125);
        expect(because.join("\n")).toContain(expected);
      }

      expect(readdirSync(`${sandbox.root}/l`)).toEqual([]);
      expect(readdirSync(`${sandbox.root}/blobs/sha256`)).toEqual([]);
    },
  );

  kernelTest("refuses words that cannot be meant before it reads anything", PULL_NEEDS, async (sandbox) => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["-c", "RUN true", "-"], /^Cannot apply the change "RUN true": "RUN" is none of/],
      [["-", `app@sha256:${"0".repeat(64)}`], /a digest is what it has/],
      [["-", "UPPER"], /^Cannot parse image reference/],
      [["--platform=vax", "-"], /vax/],
      [
        ["https://user:secret@localhost/x"],
        /^Cannot download "https:\/\/localhost\/x": it holds credentials$/,
      ],
    ];

    for (const [args, expected] of cases) {
      const { message, exitCode } = await refusal(sandbox, args);
      expect(message).toMatch(expected);
      expect(message).not.toContain("secret");
      expect(exitCode).toBe(125);
    }
    const epoch = await sandbox.bunker(["import", "-"], { env: { SOURCE_DATE_EPOCH: "today" } });
    expect(epoch.stderr).toContain('SOURCE_DATE_EPOCH has to be seconds since 1970, not "today"');
    expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
  });
});

describe("bunker import when something fails", () => {
  kernelTest("says that the disk is full, and leaves the store as it was", PULL_NEEDS, async (sandbox) => {
    mkdirSync(sandbox.root);
    await Bun.$`mount -t tmpfs -o size=8m bunker-test ${sandbox.root}`;
    try {
      await imported(sandbox, [archive(sandbox, [{ name: "small" }]), "good"]);
      const before = content(sandbox);
      const large = archive(sandbox, [{ name: "large", data: noise(12_000_000) }]);
      // Its blob fits, its files do not.
      const even = archive(sandbox, [{ name: "even", data: Buffer.alloc(12_000_000, 1) }], "even.tar");

      const refusals = [await refusal(sandbox, [large, "bad"]), await refusal(sandbox, [even, "bad"])];

      for (const { message, exitCode } of refusals) {
        expect(message).toEndWith(": the disk is full");
        expect(exitCode).toBe(125);
      }
      expect(content(sandbox)).toEqual(before);
    } finally {
      await Bun.$`umount ${sandbox.root}`;
    }
  });

  kernelTest(
    "leaves nothing that counts when it is killed, and the next one clears up",
    PULL_NEEDS,
    async (sandbox) => {
      await imported(sandbox, [archive(sandbox, base), "good"]);
      const images = await sandbox.bunker(["images", "--json"]);
      const { PATH = "" } = process.env;
      const env = { PATH, HOME: "/", BUNKER_ROOT: sandbox.root, BUNKER_STATE: sandbox.state };
      const fifo = `${sandbox.directory}/fifo`;
      await Bun.$`mkfifo ${fifo}`;
      // For both directions, so that neither side waits for the other; the archive does not come to its end.
      const fd = openSync(fifo, "r+");
      writeSync(fd, buildTar(rich), 0, 32 * 1024);
      const child = Bun.spawn([...programs["dist/bunker"], "import", fifo, "bad"], { env });
      while (readdirSync(`${sandbox.root}/tmp`).length === 0) await Bun.sleep(5);

      child.kill("SIGKILL");
      await child.exited;
      closeSync(fd);
      const after = await sandbox.bunker(["images", "--json"]);
      await imported(sandbox, [archive(sandbox, base), "again"]);

      expect(after.stdout).toBe(images.stdout);
      expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
    },
  );
});

describe("bunker import of a URL", () => {
  kernelTest("downloads from where it is sent, but not into another network", PULL_NEEDS, async (sandbox) => {
    const tar = Bun.gzipSync(buildTar(base));
    const targets: Readonly<Record<string, string>> = {
      "/moved": "/files",
      "/private": "http://192.168.0.1/files",
      "/metadata": "http://169.254.169.254/latest",
      "/file": "file:///etc/passwd",
      "/loop": "/loop",
    };
    const requests: string[] = [];
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const { pathname } = new URL(request.url);
        requests.push(pathname);
        const location = targets[pathname];
        if (location !== undefined) return new Response(null, { status: 302, headers: { location } });
        if (pathname === "/damaged") return new Response("x".repeat(2000));
        return pathname === "/files" ? new Response(tar) : new Response("nothing", { status: 404 });
      },
    });
    const url = (path: string): string => `http://127.0.0.1:${server.port}${path}?token=secret`;

    await imported(sandbox, [url("/moved"), "web"]);
    const run = await sandbox.bunker(["run", "web", "/bin/echo", "hey"]);
    const history = await sandbox.bunker(["history", "--format", "{{.Comment}}", "web"]);
    const refusals = new Map<string, string>();
    for (const path of ["/metadata", "/file", "/loop", "/nowhere", "/damaged"]) {
      refusals.set(path, (await refusal(sandbox, [url(path), "bad"])).message);
    }

    expect(run.stdout).toBe("hey\n");
    // A token in a query is not for whoever gets the image.
    expect(history.stdout).toBe(`Imported from http://127.0.0.1:${server.port}/moved\n`);
    expect([...refusals.values()].join()).not.toContain("secret");
    expect(refusals.get("/metadata")).toEndWith(
      'it redirects to "http://169.254.169.254/latest", which is not allowed',
    );
    expect(refusals.get("/file")).toContain("which is not allowed");
    expect(refusals.get("/loop")).toEndWith("more than 10 redirects");
    expect(refusals.get("/nowhere")).toEndWith("the server answers with status 404");
    expect(requests.filter((path) => path === "/loop")).toHaveLength(11);
  });
});
