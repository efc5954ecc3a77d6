/**
 * Kernels and root disk of the guest, made once and kept: packages are downloaded by the host's apt, which checks them, as for
 * a machine that has none; unpacked into a directory; and the directory is made a disk by mke2fs, so nothing is mounted.
 *
 *     CACHE/vm-KEY/kernel
 *     CACHE/vm-KEY/kernel-later  where Debian has one
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
import { guestPackages, KERNEL_PACKAGE, LATER_KERNEL_PACKAGE, LATER_KERNEL_VERSION } from "./packages.ts";
import { runTool } from "./tool.ts";

/** Paths of what a machine is started with. */
export interface GuestFiles {
  readonly kernel: string;
  /** {@link LATER_KERNEL_VERSION}; undefined where Debian's release has none. */
  readonly laterKernel: string | undefined;
  readonly root: string;
}

const GUEST = `${import.meta.dir}/guest`;
const LATER = "kernel-later";

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
  const later = `${directory}/${LATER}`;
  return {
    kernel: `${directory}/kernel`,
    laterKernel: existsSync(later) ? later : undefined,
    root: `${directory}/root.ext4`,
  };
}

/** Changes with whatever the files are made from, save the packages' versions. */
function cacheKey(): string {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(JSON.stringify([KERNEL_PACKAGE, LATER_KERNEL_PACKAGE, guestPackages, ROOT_SIZE_MIB]));
  hash.update(readFileSync(import.meta.path));
  for (const path of [...new Glob("**").scanSync({ cwd: GUEST, dot: true })].sort())
    hash.update(`${path}\0`).update(readFileSync(`${GUEST}/${path}`));
  return hash.digest("hex").slice(0, 16);
}

function buildGuestFiles(building: string): void {
  const archives = `${building}/archives`;
  mkdirSync(`${archives}/partial`, { recursive: true });
  const kernels = download(building, archives);
  const root = `${building}/root`;
  unpack(root, archives);
  mkdirSync(`${root}/usr/lib/modules`, { recursive: true });
  for (const [name, file] of Object.entries(kernels)) addKernel(building, name, file);
  if (!("kernel-later" in kernels)) linkIfLater(building);
  cpSync(GUEST, root, { recursive: true, verbatimSymlinks: true });
  for (const name of ["repository", "home/user"]) mkdirSync(`${root}/${name}`, { recursive: true });
  makeDisk({ path: `${building}/root.ext4`, from: root, sizeMib: ROOT_SIZE_MIB });
  for (const name of [root, archives]) rmSync(name, { recursive: true });
}

/** Packages of kernels by the names of their files in the cache. */
interface Kernels {
  readonly kernel: string;
  readonly [LATER]?: string;
}

/** @throws {PackagesMissing} */
function download(building: string, archives: string): Kernels {
  try {
    return downloadPackages(building, archives);
  } catch (error) {
    throw new PackagesMissing((error as Error).message.replaceAll(/\s+/g, " "), { cause: error });
  }
}

function downloadPackages(building: string, archives: string): Kernels {
  const kernel = downloadKernel(building, archives, KERNEL_PACKAGE);
  if (kernel === undefined) throw new Error(`Cannot find the kernel of "${KERNEL_PACKAGE}"`);
  const later = downloadKernel(building, archives, LATER_KERNEL_PACKAGE);
  runTool([...apt(archives), "--no-install-recommends", "--download-only", "install", ...guestPackages], {
    cwd: building,
    timeoutMs: APT_MS_MAX,
  });
  return later === undefined ? { kernel } : { kernel, [LATER]: later };
}

/** @returns the file of the package that `name` stands for; undefined where the release does not have it */
function downloadKernel(building: string, archives: string, name: string): string | undefined {
  const options = { cwd: building, timeoutMs: APT_MS_MAX };
  if (runTool(["apt-cache", "search", "--names-only", `^${name}$`], options).trim() === "") return undefined;
  const depends = runTool(["apt-cache", "depends", name], options);
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (image === undefined) throw new Error(`Cannot find the kernel of "${name}" in "${depends}"`);
  runTool([...apt(archives), "download", image], options);
  const file = readdirSync(building).find((entry) => entry.startsWith(`${image}_`));
  if (file === undefined) throw new Error(`Cannot find the package "${image}" that was downloaded`);
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
function addKernel(building: string, name: string, file: string): void {
  const root = `${building}/root`;
  const unpacked = `${building}/unpacked`;
  runTool(["dpkg-deb", "-x", file, unpacked], { timeoutMs: UNPACK_MS_MAX });
  const image = readdirSync(`${unpacked}/boot`).find((entry) => entry.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`Cannot find a kernel in "${file}"`);
  renameSync(`${unpacked}/boot/${image}`, `${building}/${name}`);
  chmodSync(`${building}/${name}`, 0o644);
  const modules = ["usr/lib/modules", "lib/modules"].find((path) => existsSync(`${unpacked}/${path}`));
  const version = image.slice("vmlinuz-".length);
  renameSync(`${unpacked}/${modules}/${version}`, `${root}/usr/lib/modules/${version}`);
  runTool([...guestProgram(root, "kmod", "depmod"), "-b", root, version], { timeoutMs: UNPACK_MS_MAX });
  rmSync(unpacked, { recursive: true });
  rmSync(file);
}

/** Where the usual kernel is as late as the later one would be. */
function linkIfLater(building: string): void {
  const [version = ""] = readdirSync(`${building}/root/usr/lib/modules`);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [laterMajor, laterMinor] = LATER_KERNEL_VERSION;
  if (major > laterMajor || (major === laterMajor && minor >= laterMinor))
    symlinkSync("kernel", `${building}/${LATER}`);
}

/** A program of the guest under another name, run here with the guest's libraries: ld.so(8). */
function guestProgram(root: string, file: string, name: string): readonly string[] {
  const libraries = `${root}/usr/lib/x86_64-linux-gnu`;
  const loader = `${root}/usr/lib64/ld-linux-x86-64.so.2`;
  return [loader, "--library-path", libraries, "--argv0", name, `${root}/usr/bin/${file}`];
}
