/**
 * Random changes in a running container: the image that is committed of it shows the same tree, to the kernel's overlayfs
 * and to umoci, and the lines of `diff` are what comparing the trees before and after says.
 */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { cBytes } from "../../../src/fs/byte_string.ts";
import { AT_FDCWD } from "../../../src/linux/abi/fcntl.ts";
import { mknodat } from "../../../src/linux/file.ts";
import { trySetxattr } from "../../../src/linux/xattr.ts";
import { Box, bunkerFrom, rootTree } from "../../helpers/box.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import type { NodeSnapshot, TreeSnapshot } from "../../helpers/tree_snapshot.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_TRUNC, O_WRONLY } = constants;
const SEED = Number(process.env["BUNKER_TEST_SEED"] ?? 20_261_126);
const ROUNDS = 3;
const CHANGES = 120;
const TEST_MS_MAX = 180_000;

/** Numbers that the seed decides: a linear congruential generator. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(count: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * count);
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to choose from");
    return item;
  }
}

/** Never waits for the other end of a pipe. */
function write(path: string, text: string, flags: number): void {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOFOLLOW | flags, 0o644);
  writeSync(fd, text);
  closeSync(fd);
}

const NAMES = ["a", "b", "c", "d", "ö", "x y", "n".repeat(120)];

/** A tree for the image: three levels of a few names. */
function imageEntries(chance: Chance): readonly TarEntry[] {
  const entries: TarEntry[] = [{ name: "srv/" }];
  const fill = (directory: string, depth: number): void => {
    for (const name of NAMES.slice(0, 5)) {
      const path = `${directory}${name}`;
      if (depth < 3 && chance.below(2) === 0) {
        entries.push({ name: `${path}/`, mode: 0o755 });
        fill(`${path}/`, depth + 1);
      } else if (chance.below(4) > 0) entries.push({ name: path, data: path });
    }
  };
  fill("srv/", 0);
  return entries;
}

/** Changes below `top`, as a process in the container would make them. */
class Changer {
  readonly #top: string;
  readonly #chance: Chance;

  constructor(top: string, chance: Chance) {
    this.#top = top;
    this.#chance = chance;
  }

  /** One change; what the kernel refuses is none. */
  change(): void {
    const [path, other] = [this.#path(), this.#path()];
    const chance = this.#chance;
    const changes: readonly (() => void)[] = [
      () => write(path, "w".repeat(chance.below(3000)), O_TRUNC),
      () => write(path, "w", O_APPEND),
      () => mkdirSync(path, { mode: chance.of([0o755, 0o700, 0o1777]) }),
      () => rmSync(path, { recursive: true }),
      () => rmSync(path, { recursive: true }),
      () => symlinkSync(chance.of(["a", "b/c", "/nowhere-at-all"]), path),
      () => linkSync(path, other),
      () => renameSync(path, other),
      () => chmodSync(path, chance.of([0o644, 0o755, 0o4750, 0o600])),
      () => chownSync(path, chance.below(3000), chance.below(3000)),
      () => mknodat(AT_FDCWD, path, { mode: 0o010644, major: 0, minor: 0 }),
      () => void trySetxattr(cBytes(Buffer.from(path).toString("latin1")), "user.x", Buffer.from("1\0\n")),
      () => utimesSync(path, 1e9, 1e9 + chance.below(1e6)),
      // One that hides what the image has.
      () => {
        rmSync(path, { recursive: true });
        mkdirSync(path);
        writeFileSync(`${path}/new`, "new");
      },
    ];
    try {
      chance.of(changes)();
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }

  #path(): string {
    let path = this.#top;
    for (let depth = 0; depth < 4; depth += 1) {
      const isLast = depth === 3 || this.#chance.below(3) === 0;
      const here = readdirSync(path);
      const name =
        here.length > 0 && this.#chance.below(3) > 0 ? this.#chance.of(here) : this.#chance.of(NAMES);
      path = `${path}/${name}`;
      if (isLast || !existsSync(path) || !lstatSync(path).isDirectory()) return path;
    }
    return path;
  }
}

/** What docker compares: owners, modes, attributes, and of all but directories size and time. */
function isSame(one: NodeSnapshot, other: NodeSnapshot): boolean {
  const keys = ["type", "mode", "owner", "content", "mtime"] as const;
  const counted = one.type === "directory" ? keys.slice(0, 3) : keys;
  return counted.every((key) => one[key] === other[key]) && one.xattrs.join() === other.xattrs.join();
}

/** The lines of `diff`, from the trees alone. */
function expectedLines(before: TreeSnapshot, after: TreeSnapshot): string[] {
  const kinds = new Map<string, string>();
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((path) => path !== ".");
  for (const path of paths) {
    const [old, now] = [before[path], after[path]];
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    // Of what is gone only the topmost is told, and nothing that a file has taken the place of.
    if (now === undefined && (parent === "" || after[parent]?.type === "directory")) kinds.set(path, "D");
    if (old === undefined) kinds.set(path, "A");
    else if (now !== undefined && !isSame(old, now)) kinds.set(path, "C");
  }
  for (const path of [...kinds.keys()]) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      if (!kinds.has(path.slice(0, at))) kinds.set(path.slice(0, at), "C");
    }
  }
  return [...kinds].map(([path, kind]) => `${kind} /${Buffer.from(path, "latin1")}`).sort();
}

describe(`random changes (BUNKER_TEST_SEED=${SEED})`, () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    kernelTest(
      `are told by diff, and kept by commit: round ${round}`,
      [...RUN_NEEDS, "program umoci"],
      async (sandbox) => {
        const chance = new Chance(SEED + round);
        const app = await App.install(sandbox, {
          entries: imageEntries(chance),
          // Where the kernel mounts them; what is committed lies on top in the other form.
          ...(round === 0 ? { layers: "erofs" as const } : {}),
        });
        const box = await Box.start(app, "true");
        const before = rootTree(box.root);
        const changer = new Changer(`${box.root}/srv`, chance);
        for (let change = 0; change < CHANGES; change += 1) changer.change();

        const diff = await bunkerFrom(sandbox, ["diff", "box"]);
        const commit = await bunkerFrom(sandbox, ["commit", "box", "local/new:1"]);
        const after = rootTree(box.root);
        await box.end();
        const again = await Box.start(app.as("local/new:1"), "true");
        const shown = rootTree(again.root);
        await again.end();
        const [saved, layout] = [`${sandbox.directory}/saved.tar`, `${sandbox.directory}/layout`];
        await bunkerFrom(sandbox, ["save", "-o", saved, "local/new:1"]);
        await Bun.$`mkdir ${layout} && tar xf ${saved} -C ${layout}`.quiet();
        await Bun.$`umoci unpack --image ${layout}:1 ${sandbox.directory}/bundle`.quiet();

        expect(commit).toMatchObject({ exitCode: 0, stderr: "" });
        expect(shown).toEqual(after);
        const unpacked = rootTree(`${sandbox.directory}/bundle/rootfs`);
        expect(unpacked).toEqual(after);
        expect(diff.stdout.trim().split("\n").sort()).toEqual(expectedLines(before, after));
      },
      TEST_MS_MAX,
    );
  }
});
