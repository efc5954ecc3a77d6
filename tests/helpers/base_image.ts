/**
 * Files of this machine as the bases of the Dockerfile, since no registry of images is in reach of the tests: a shell from
 * busybox-static and the libraries that a program needs.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { BUSYBOX } from "./alpine_image.ts";

/** Makes a root with a shell in which `program`, an executable of this machine, finds its libraries. */
export function writeBase(directory: string, program: string): void {
  if (BUSYBOX === undefined) throw new Error("busybox-static is not installed");
  copy(BUSYBOX, `${directory}/bin/busybox`);
  for (const name of ["sh", "["]) symlinkSync("busybox", `${directory}/bin/${name}`);
  for (const library of librariesOf(program)) copy(library, `${directory}${library}`);
  mkdirSync(`${directory}/tmp`);
  chmodSync(`${directory}/tmp`, 0o1777);
}

/** Adds bun, and the packages that are needed to compile, to a root for BUILD_BASE. */
export function addBun(directory: string, repository: string): void {
  copy(process.execPath, `${directory}/usr/local/bin/bun`);
  for (const name of packagesOf(repository)) {
    cpSync(`${repository}/node_modules/${name}`, `${directory}/src/node_modules/${name}`, {
      recursive: true,
    });
  }
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  // Follows links: a library's name is mostly one.
  copyFileSync(from, to);
}

/** Absolute paths of the libraries and of the loader, as ldd(1) names them. */
function librariesOf(program: string): readonly string[] {
  const { stdout } = Bun.spawnSync(["ldd", program], { stdin: "ignore", stderr: "ignore" });
  return [...new Set(stdout.toString().match(/\/[^ ]+/g) ?? [])].filter((path) => path !== `${program}:`);
}

/** The dependencies at run time, with what they depend on. */
function packagesOf(repository: string): readonly string[] {
  const found = new Set<string>();
  const add = (name: string): void => {
    const path = `${repository}/node_modules/${name}/package.json`;
    if (found.has(name) || !existsSync(path)) return;
    found.add(name);
    for (const dependency of dependenciesOf(path)) add(dependency);
  };
  for (const name of dependenciesOf(`${repository}/package.json`)) add(name);
  return [...found];
}

function dependenciesOf(path: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(path, "utf8")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
  };
  return Object.keys(dependencies);
}
