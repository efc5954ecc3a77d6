/** An image with the directories of Alpine Linux and Debian's static busybox in it: what the sixth stage pulls. */
import { readFileSync } from "node:fs";
import { type BuiltImage, buildImage } from "./image_builder.ts";
import type { TarEntry } from "./tar_builder.ts";

/** The names in the root of an Alpine image, in the order of `ls`. */
export const alpineDirectories = [
  "bin",
  "dev",
  "etc",
  "home",
  "lib",
  "media",
  "mnt",
  "opt",
  "proc",
  "root",
  "run",
  "sbin",
  "srv",
  "sys",
  "tmp",
  "usr",
  "var",
] as const;

/** Where Debian's busybox-static puts its program. */
export const BUSYBOX = ["/bin/busybox", "/usr/bin/busybox"].find((path) => Bun.file(path).size > 0);

const APPLETS = ["cat", "echo", "ls", "sh", "true"] as const;

/** Builds it, in two layers. @throws {Error} without busybox-static. */
export function buildAlpine(): BuiltImage {
  if (BUSYBOX === undefined) throw new Error("busybox-static is not installed");
  const directories = alpineDirectories.map(
    (name): TarEntry => ({ name: `${name}/`, mode: name === "tmp" ? 0o1777 : 0o755 }),
  );
  const programs: readonly TarEntry[] = [
    { name: "bin/busybox", data: readFileSync(BUSYBOX), mode: 0o755 },
    ...APPLETS.map((name): TarEntry => ({ name: `bin/${name}`, type: "symlink", link: "/bin/busybox" })),
    { name: "etc/os-release", data: new TextEncoder().encode("ID=alpine\n") },
  ];
  return buildImage({ layers: [{ entries: directories }, { entries: programs }] });
}
