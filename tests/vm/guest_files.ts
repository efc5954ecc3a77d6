/**
 * Kernel and root disk of the guest, made once and kept: packages are downloaded by the host's apt, which checks them, as for
 * a machine that has none; unpacked into a directory; and the directory is made a disk by mke2fs, so nothing is mounted.
 *
 *     CACHE/vm-KEY/kernel
 *     CACHE/vm-KEY/root.ext4     packages and tests/vm/guest; machines write to a copy of their own
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { Glob } from "bun";
import { cachedDirectory } from "../helpers/test_cache.ts";
import { makeDisk } from "./disk.ts";
import { guestPackages, KERNEL_PACKAGE } from "./packages.ts";
import { runTool } from "./tool.ts";

/** Paths of what a machine is started with. */
export interface GuestFiles {
  readonly kernel: string;
  readonly root: string;
}

const GUEST = `${import.meta.dir}/guest`;

const APT_MS_MAX = 5 * 60_000;
const UNPACK_MS_MAX = 3 * 60_000;
const ROOT_SIZE_MIB = 2048;

/** Not needed by a test, and a third of the disk. */
const LEFT_OUT = ["doc", "info", "locale", "man"].map((name) => `usr/share/${name}`);

/** Since usrmerge these are links, which packages of before do not bring. */
const MERGED = ["bin", "sbin", "lib", "lib64"];

/** Apt as on a machine without packages, of which it needs nothing but the lists, and with no lock. */
const apt = (archives: string): readonly string[] => [
  "apt-get",
  ...[
    "-qq",
    "-y",
    "-o",
    "Debug::NoLocking=true",
    "-o",
    "APT::Sandbox::User=",
    "-o",
    "Dir::State::status=/dev/null",
  ],
  ...[
    "-o",
    `Dir::Cache::archives=${archives}`,
    "-o",
    "Dir::Cache::pkgcache=",
    "-o",
    "Dir::Cache::srcpkgcache=",
  ],
];

/** Packages cannot be had: no network, or a distribution without them. */
export class PackagesMissing extends Error {}

/** The guest's files, from the cache or made. @throws {PackagesMissing} */
export function prepareGuestFiles(): GuestFiles {
  const directory = cachedDirectory(`vm-${cacheKey()}`, buildGuestFiles);
  return { kernel: `${directory}/kernel`, root: `${directory}/root.ext4` };
}

/** Changes with whatever the files are made from, save the packages' versions. */
function cacheKey(): string {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(JSON.stringify([KERNEL_PACKAGE, guestPackages, ROOT_SIZE_MIB]));
  hash.update(readFileSync(import.meta.path));
  for (const path of [...new Glob("**").scanSync({ cwd: GUEST, dot: true })].sort())
    hash.update(`${path}\0`).update(readFileSync(`${GUEST}/${path}`));
  return hash.digest("hex").slice(0, 16);
}

function buildGuestFiles(building: string): void {
  const archives = `${building}/archives`;
  mkdirSync(`${archives}/partial`, { recursive: true });
  const kernel = download(building, archives);
  const root = `${building}/root`;
  unpack(root, archives);
  addKernel(building, kernel);
  cpSync(GUEST, root, { recursive: true, verbatimSymlinks: true });
  for (const name of ["repository", "home/user"]) mkdirSync(`${root}/${name}`, { recursive: true });
  makeDisk({ path: `${building}/root.ext4`, from: root, sizeMib: ROOT_SIZE_MIB });
  for (const name of [root, archives]) rmSync(name, { recursive: true });
}

/** @returns the file of the kernel's package @throws {PackagesMissing} */
function download(building: string, archives: string): string {
  try {
    return downloadPackages(building, archives);
  } catch (error) {
    throw new PackagesMissing((error as Error).message.replaceAll(/\s+/g, " "), { cause: error });
  }
}

function downloadPackages(building: string, archives: string): string {
  const options = { cwd: building, timeoutMs: APT_MS_MAX };
  const depends = runTool(["apt-cache", "depends", KERNEL_PACKAGE], options);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`Cannot find the kernel of "${KERNEL_PACKAGE}" in "${depends}"`);
  runTool([...apt(archives), "download", name], options);
  runTool(
    [...apt(archives), "--no-install-recommends", "--download-only", "install", ...guestPackages],
    options,
  );
  const file = readdirSync(building).find((entry) => entry.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`Cannot find the package "${name}" that was downloaded`);
  return `${building}/${file}`;
}

/** Scripts of the packages are not run: what they would do and a test needs is in tests/vm/guest. */
function unpack(root: string, archives: string): void {
  for (const name of MERGED) {
    mkdirSync(`${root}/usr/${name}`, { recursive: true });
    symlinkSync(`usr/${name}`, `${root}/${name}`);
  }
  const packages = readdirSync(archives).filter((name) => name.endsWith(".deb"));
  const exclude = LEFT_OUT.map((path) => `--exclude=./${path}/*`).join(" ");
  const script = `
    set -e
    root=$1; shift
    for package; do
      dpkg-deb --fsys-tarfile "$package" |
        tar -x -p --no-same-owner --keep-directory-symlink ${exclude} -C "$root"
    done`;
  runTool(["/bin/sh", "-c", script, "sh", root, ...packages], { cwd: archives, timeoutMs: UNPACK_MS_MAX });
  // What the script of the package would decide.
  rmSync(`${root}/usr/bin/sh`, { force: true });
  symlinkSync("dash", `${root}/usr/bin/sh`);
}

/** The kernel beside the disk, its modules on it, with the index by which they are found. */
function addKernel(building: string, file: string): void {
  const root = `${building}/root`;
  const unpacked = `${building}/unpacked`;
  runTool(["dpkg-deb", "-x", file, unpacked], { timeoutMs: UNPACK_MS_MAX });
  const image = readdirSync(`${unpacked}/boot`).find((name) => name.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`Cannot find a kernel in "${file}"`);
  renameSync(`${unpacked}/boot/${image}`, `${building}/kernel`);
  chmodSync(`${building}/kernel`, 0o644);
  const modules = ["usr/lib/modules", "lib/modules"].find((path) => existsSync(`${unpacked}/${path}`));
  renameSync(`${unpacked}/${modules}`, `${root}/usr/lib/modules`);
  const [version = ""] = readdirSync(`${root}/usr/lib/modules`);
  runTool([...guestProgram(root, "kmod", "depmod"), "-b", root, version], { timeoutMs: UNPACK_MS_MAX });
  rmSync(unpacked, { recursive: true });
  rmSync(file);
}

/** A program of the guest under another name, run here with the guest's libraries: ld.so(8). */
function guestProgram(root: string, file: string, name: string): readonly string[] {
  const libraries = `${root}/usr/lib/x86_64-linux-gnu`;
  const loader = `${root}/usr/lib64/ld-linux-x86-64.so.2`;
  return [loader, "--library-path", libraries, "--argv0", name, `${root}/usr/bin/${file}`];
}
