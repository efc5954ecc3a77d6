/** What is in the image that every caller runs: Debian's static busybox with all of its applets, two users, a few files. */
import { readFileSync } from "node:fs";
import { BUSYBOX } from "../helpers/alpine_image.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";

/** The user `app`, besides root. */
export const APP_ID = 1000;

const DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "seed", "sys", "tmp", "var", "www"];

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/root:/bin/sh\napp:x:${APP_ID}:${APP_ID}:app:/tmp:/bin/sh\n`,
  "etc/group": `root:x:0:\napp:x:${APP_ID}:\nextra:x:2000:app\n`,
  "etc/plain": "no program\n",
  "seed/file": "seed\n",
  "www/index.html": "served\n",
};

/** @throws {Error} without busybox-static */
export function imageEntries(): readonly TarEntry[] {
  if (BUSYBOX === undefined) throw new Error("busybox-static is not installed");
  const applets = Bun.spawnSync([BUSYBOX, "--list"]).stdout.toString().split("\n");
  const names = applets.filter((name) => name !== "" && name !== "busybox");
  return [
    ...DIRECTORIES.map((name): TarEntry => ({ name: `${name}/`, mode: name === "tmp" ? 0o1777 : 0o755 })),
    { name: "bin/busybox", data: readFileSync(BUSYBOX), mode: 0o755 },
    ...names.map((name): TarEntry => ({ name: `bin/${name}`, type: "symlink", link: "busybox" })),
    ...Object.entries(FILES).map(([name, text]): TarEntry => ({ name, data: text })),
  ];
}
