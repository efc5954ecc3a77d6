/**
 * What the store gives away, and what it runs: nothing to other users, and no program and no library of an image or of the
 * caller's PATH, whatever way an image takes.
 */
import { describe, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { zstdCompressSync } from "node:zlib";
import { layoutEntries } from "../../helpers/hostile_archive.ts";
import { buildImage } from "../../helpers/image_builder.ts";
import { layerPreference } from "../../helpers/layer_preference.ts";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { executable } from "../../helpers/requires.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { buildTar } from "../../helpers/tar_builder.ts";

const NOBODY = 65534;
/** The process of system calls that tries whether layers can be files: a program of bunker's own, in memory. */
const isTrial = (line: string): boolean =>
  layerPreference === "erofs" && /\bexecveat\(\d+<\/memfd:bunker\b/.test(line);
/** What a program that changed its root would load from there. */
const lures = [
  "lib/x86_64-linux-gnu/libnss_files.so.2",
  "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
  "etc/nsswitch.conf",
  "etc/ld.so.preload",
  "usr/bin/unpigz",
  "usr/bin/xz",
  "usr/bin/zstd",
];
const image = buildImage({
  layers: [
    {
      entries: [
        { name: "secret", data: "secret", mode: 0o644 },
        { name: "suid", data: "#!/bin/sh\nid\n", mode: 0o4755 },
        ...lures.map((name) => ({ name, data: "hostile", mode: 0o755 })),
      ],
    },
  ],
});

describe("the store", () => {
  kernelTest(
    "CVE-2021-41091, CVE-2021-41103, CVE-2024-25621: lets no other user through to what images hold",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:latest": image });
      await place.pull();
      chmodSync(sandbox.directory, 0o755);

      const paths = ["", "l", "blobs", "refs", "tmp", "locks", "layers"];
      const listed = paths.map((path) => asNobody(["ls", `${sandbox.root}/${path}`]));
      const [layer] = readdirSync(`${sandbox.root}/l`);
      const run = ["secret", "suid"].map((name) => asNobody(["cat", `${sandbox.root}/l/${layer}/${name}`]));

      expect([...listed, ...run].every((status) => status !== 0)).toBeTrue();
      expect(statSync(sandbox.root).mode & 0o077).toBe(0);
      const open = paths.filter((path) => (statSync(`${sandbox.root}/${path}`).mode & 0o066) !== 0);
      expect(open).toEqual([]);
    },
  );

  kernelTest(
    "CVE-2026-41567, CVE-2014-9357: starts no program to decompress, of the image or of the caller's PATH",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:latest": image });
      const [bin, marker] = [`${sandbox.directory}/bin`, `${sandbox.directory}/marker`];
      mkdirSync(bin);
      for (const name of ["gzip", "unpigz", "pigz", "zstd", "xz", "unxz", "bzip2", "tar", "sh"]) {
        writeFileSync(`${bin}/${name}`, `#!/bin/busybox sh\necho ${name} >> ${marker}\n`, { mode: 0o755 });
      }
      const env = { PATH: bin };
      const archive = `${sandbox.directory}/archive.tar`;
      const xz = Buffer.from("fd377a585a000004e6d6b44600000000", "hex");
      const files = [Bun.gzipSync(buildTar(layoutEntries(image, "local/a:1"))), xz];

      const exits = [(await place.bunker(["pull", "-q", place.name()], { env })).exitCode];
      for (const bytes of [...files, zstdCompressSync(buildTar(layoutEntries(image, "local/a:2")))]) {
        await Bun.write(archive, bytes);
        exits.push((await place.bunker(["load", "-q", "-i", archive], { env })).exitCode);
      }

      expect(exits).toEqual([0, 0, 125, 0]);
      expect(existsSync(marker)).toBeFalse();
    },
  );

  kernelTest(
    "CVE-2019-14271: maps no library and executes nothing from an image that is unpacked, read, exported",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:latest": image });
      const trace = `${sandbox.directory}/trace`;
      const file = `${sandbox.directory}/out.tar`;
      const commands = [
        ["pull", "-q", place.name()],
        ["image", "ls", place.name(), "/etc"],
        ["export", "-o", file, place.name()],
        ["import", file, "local/again:1"],
        ["save", "-o", file, "local/again:1"],
        ["load", "-q", "-i", file],
      ];
      for (const words of commands) {
        const wrapper = ["strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=execve,execveat,mmap"];

        const result = await place.bunker(words, { wrapper, timeoutMs: 30_000 });

        expect({ words, ...result }).toMatchObject({ exitCode: 0 });
        const lines = readFileSync(trace, "utf8").split("\n");
        const [own = "", ...others] = lines.filter((line) => /\bexecve(?:at)?\(/.test(line));
        expect(own).toContain(`execve("${executable}"`);
        expect(others.filter((line) => !isTrial(line))).toEqual([]);
        expect(lines.filter((line) => line.includes("PROT_EXEC") && line.includes(sandbox.root))).toEqual([]);
      }
    },
  );

  kernelTest(
    "CVE-2020-15257: is worked on without a socket that a container could reach",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:latest": image });
      const trace = `${sandbox.directory}/trace`;
      const wrapper = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=bind,listen", "-e", "signal=none"];

      await place.bunker(["pull", "-q", place.name()], { wrapper, timeoutMs: 30_000 });

      expect(readFileSync(trace, "utf8")).toBe("");
    },
  );
});

/** @returns the exit status of a command that another user runs */
function asNobody([program = "", ...words]: readonly string[]): number | null {
  return spawnSync(program, words, { uid: NOBODY, gid: NOBODY, stdio: "ignore" }).status;
}
