import { describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { DirectoryFiles } from "../../../../src/image/tree/directory_files.ts";
import { resolvePath } from "../../../../src/image/tree/resolve_path.ts";
import { AT_FDCWD, O_DIRECTORY, O_PATH, RESOLVE_IN_ROOT } from "../../../../src/linux/abi/fcntl.ts";
import { Fd, openat, tryOpenat2 } from "../../../../src/linux/file.ts";
import { LayerSandbox } from "../../../helpers/layer_sandbox.ts";
import { pick, seededRandom } from "../../../helpers/random_policy.ts";
import type { TarEntry } from "../../../helpers/tar_builder.ts";

const PATHS = 2000;
const links = ["/", "..", "../..", "a", "b/c", "/a/b", "loop", ".", "../c/./d", "/etc/passwd", "d/"];
const tree: readonly TarEntry[] = [
  ...["a/", "a/b/", "a/b/c/", "c/", "c/d/"].map((name) => ({ name })),
  ...["a/f", "c/d/e"].map((name) => ({ name, data: "x" })),
  ...links.map((link, index) => ({ name: `l${index}`, type: "symlink" as const, link })),
  ...links.map((link, index) => ({ name: `a/b/m${index}`, type: "symlink" as const, link })),
  { name: "loop", type: "symlink", link: "loop" },
];
const names = [
  "a",
  "b",
  "c",
  "d",
  "e",
  "f",
  "..",
  ".",
  "",
  "loop",
  ...links.flatMap((_, i) => [`l${i}`, `m${i}`]),
];

describe("resolvePath()", () => {
  test("leads random paths where the kernel leads them in a root", () => {
    using sandbox = new LayerSandbox();
    const { path: root } = sandbox.unpack(tree, { whiteouts: "files", owners: "single" });
    using files = new DirectoryFiles(root);
    using rootFd = new Fd(openat(AT_FDCWD, root, { flags: O_PATH | O_DIRECTORY }));
    const random = seededRandom(0xbeef);

    const randomPath = (): string =>
      `/${Array.from({ length: 1 + random(5) }, () => pick(random, names)).join("/")}`;
    const paths = ["/a/f/", "/a/f/.", "/a/f/..", "/a/f/x", ...Array.from({ length: PATHS }, randomPath)];
    for (const path of paths) {
      const resolved = resolvePath(files, path, { followLast: true });
      const found = resolved?.node === undefined ? undefined : `${root}/${resolved.path}`.replace(/\/$/, "");
      expect({ path, found }).toEqual({ path, found: byKernel(rootFd.number, path) });
    }
  });

  test("shows a symlink at the end as it is when asked to", () => {
    using sandbox = new LayerSandbox();
    using files = new DirectoryFiles(sandbox.unpack(tree, { whiteouts: "files", owners: "single" }).path);

    const resolved = resolvePath(files, "/l5/m3", { followLast: false });

    expect(resolved).toMatchObject({ path: "a/b/m3", node: { kind: "symlink" } });
    expect(resolvePath(files, "/loop/x", { followLast: false })).toBeUndefined();
  });
});

const EAGAIN = 11;

function byKernel(root: number, path: string): string | undefined {
  const fd = tryOpenat2(root, path, { flags: O_PATH, resolve: RESOLVE_IN_ROOT });
  // Something else on the machine was renamed meanwhile (openat2(2), RESOLVE_IN_ROOT).
  if (fd === -EAGAIN) return byKernel(root, path);
  if (fd < 0) return undefined;
  using opened = new Fd(fd);
  return readlinkSync(`/proc/self/fd/${opened.number}`);
}
