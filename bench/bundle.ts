/** A bundle for runtimes: a root of a few files, and the default configuration that the installed peers write. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { BUSYBOX } from "../tests/helpers/alpine_image.ts";
import { output } from "./workspace.ts";

/** Makes the bundle in a new directory. @returns its path */
export function bundleOf(directory: string, args: readonly string[]): string {
  if (BUSYBOX === undefined) throw new Error("Cannot make a bundle: busybox-static is not installed");
  const bin = `${directory}/rootfs/bin`;
  mkdirSync(bin, { recursive: true });
  for (const name of ["dev", "etc", "proc", "sys", "tmp"]) mkdirSync(`${directory}/rootfs/${name}`);
  for (const name of ["true", "sleep", "sh"]) output(["cp", BUSYBOX, `${bin}/${name}`]);
  const writer = ["runc", "crun"].find((name) => Bun.which(name) !== null);
  if (writer === undefined) throw new Error("Cannot make a bundle: neither runc nor crun is installed");
  output(["sh", "-c", 'cd "$1" && "$2" spec', "sh", directory, writer]);
  const config = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
  Object.assign(config.process, { terminal: false, args });
  writeFileSync(`${directory}/config.json`, JSON.stringify(config));
  return directory;
}
