/**
 * An image in the likeness of Alpine Linux, made from files of this machine: a static busybox where there is one,
 * otherwise a few programs of the host with the shared libraries that ldd(1) names for them.
 */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { type BuiltImage, buildImage } from "../tests/helpers/image_builder.ts";
import type { TarEntry } from "../tests/helpers/tar_builder.ts";

const DIRECTORIES = "bin dev etc home lib media mnt opt proc root run sbin srv sys tmp usr var".split(" ");
const PROGRAMS = ["sh", "echo", "ls", "cat", "grep", "hostname", "id", "true"];
const BUSYBOX_PLACES = ["/bin/busybox", "/usr/bin/busybox", "/usr/lib/initramfs-tools/bin/busybox"];

/** The image, and what its programs are. */
export interface DemoImage {
  readonly image: BuiltImage;
  /** E.g. `busybox of this machine`. */
  readonly content: string;
}

/** Builds it, in two layers. @throws {Error} when this machine has no /bin/sh. */
export function buildDemoImage(): DemoImage {
  const busybox = BUSYBOX_PLACES.find((path) => existsSync(path) && librariesOf(path).length === 0);
  const programs = busybox === undefined ? programsOfHost() : programsOfBusybox(busybox);
  const content = busybox === undefined ? "this machine's shell and libraries" : "this machine's busybox";
  const base = [...DIRECTORIES.map(directory), { name: "etc/os-release", data: "ID=alpine\n" }];
  const image = buildImage({ layers: [{ entries: base }, { entries: programs }] });
  return { image, content };
}

function programsOfBusybox(path: string): readonly TarEntry[] {
  const links = PROGRAMS.map((name): TarEntry => ({ name: `bin/${name}`, type: "symlink", link: "busybox" }));
  return [{ name: "bin/busybox", data: readFileSync(path), mode: 0o755 }, ...links];
}

function programsOfHost(): readonly TarEntry[] {
  const paths = PROGRAMS.map((name) => `/bin/${name}`).filter((path) => existsSync(path));
  if (!paths.includes("/bin/sh")) throw new Error("Cannot make an image: this machine has no /bin/sh");
  const libraries = [...new Set(paths.flatMap(librariesOf))];
  const folders = [...new Set(libraries.flatMap((path) => parentsOf(path)))].sort();
  const missing = folders.filter((folder) => !DIRECTORIES.includes(folder));
  return [...missing.map(directory), ...[...paths, ...libraries].map(copyOf)];
}

const directory = (name: string): TarEntry => ({ name: `${name}/`, mode: name === "tmp" ? 0o1777 : 0o755 });

const copyOf = (path: string): TarEntry => ({
  name: path.slice(1),
  data: readFileSync(realpathSync(path)),
  mode: 0o755,
});

/** Absolute paths of the loader and the libraries; none for a static program. */
function librariesOf(path: string): string[] {
  const { stdout } = Bun.spawnSync(["ldd", path], { stdin: "ignore", stderr: "ignore" });
  return [...stdout.toString().matchAll(/(?:^|\s)(\/\S+) \(0x/g)].map(([, library]) => library as string);
}

/** `lib`, `lib/x86_64-linux-gnu` of `/lib/x86_64-linux-gnu/libc.so.6`. */
function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) parents.push(folder.slice(1));
  return parents;
}
