/** Roots as debootstrap and others hand them over: GNU tar's archives in all of its formats, imported and exported again. */
import { describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { bunkerFrom } from "../../helpers/box.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { snapshotTree, type TreeSnapshot } from "../../helpers/tree_snapshot.ts";

/** Options of tar with what the format can hold. */
const formats: readonly (readonly [string, readonly string[], Partial<Record<Feature, false>>])[] = [
  ["gnu", ["--sparse"], {}],
  ["posix", ["--sparse", "--xattrs", "--xattrs-include=*"], {}],
  ["ustar", [], { long: false }],
  ["v7", [], { long: false, devices: false }],
];

type Feature = "long" | "devices";

/** A small Debian: links across directories, devices, sparse files, long names, odd owners and modes. */
function makeRoot(path: string, { long = true, devices = true }: Partial<Record<Feature, boolean>>): void {
  for (const name of ["", "/bin", "/dev", "/etc", "/usr", "/usr/bin", "/var", "/var/lib"])
    mkdirSync(path + name);
  mkdirSync(`${path}/tmp`);
  chmodSync(`${path}/tmp`, 0o1777);
  writeFileSync(`${path}/usr/bin/tool`, "tool");
  chmodSync(`${path}/usr/bin/tool`, 0o4755);
  linkSync(`${path}/usr/bin/tool`, `${path}/bin/tool`);
  symlinkSync("usr/lib", `${path}/lib`);
  symlinkSync("/etc/mtab", `${path}/etc/dangling`);
  writeFileSync(`${path}/etc/shadow`, "root:*\n");
  chownSync(`${path}/etc/shadow`, 0, 42);
  chmodSync(`${path}/etc/shadow`, 0o640);
  const sparse = openSync(`${path}/var/lib/sparse`, "w");
  writeSync(sparse, "begin", 0);
  writeSync(sparse, "end", 3_000_000);
  closeSync(sparse);
  writeFileSync(`${path}/etc/größe`, "ö");
  utimesSync(`${path}/etc/größe`, 1, 1);
  if (long) writeFileSync(`${path}/usr/${"long".repeat(50)}`, "long");
  if (devices) {
    Bun.spawnSync(["mknod", `${path}/dev/null`, "c", "1", "3"]);
    Bun.spawnSync(["mknod", `${path}/dev/initctl`, "p"]);
  }
}

/** Without what an archive does not keep: fractions of seconds, the root's own time. */
const comparable = (path: string): TreeSnapshot =>
  snapshotTree(path, (name, { mtime }) => ({ mtime: name === "." ? "" : mtime.slice(0, -9) }));

async function roundTrip(sandbox: Sandbox, format: string, options: readonly string[]): Promise<string> {
  const [first, second, out] = ["root.tar", "out.tar", "out"].map(
    (name) => `${sandbox.directory}/${name}`,
  ) as [string, string, string];
  const flags = ["--numeric-owner", `--format=${format}`, ...options];
  await Bun.$`tar ${flags} -cf ${first} -C ${sandbox.directory}/root-of-it .`.quiet();
  const imported = await bunkerFrom(sandbox, ["import", first, "debian"]);
  expect(imported).toMatchObject({ exitCode: 0, stderr: "" });
  await bunkerFrom(sandbox, ["export", "-o", second, "debian"]);
  mkdirSync(out);
  await Bun.$`tar --numeric-owner --same-owner -xpf ${second} -C ${out}`.quiet();
  return out;
}

describe("a root that GNU tar has packed", () => {
  for (const [format, options, features] of formats) {
    kernelTest(`comes out as it went in: ${format}`, ["root", "program tar"], async (sandbox) => {
      makeRoot(`${sandbox.directory}/root-of-it`, features);

      const out = await roundTrip(sandbox, format, options);

      expect(comparable(out)).toEqual(comparable(`${sandbox.directory}/root-of-it`));
    });
  }
});
