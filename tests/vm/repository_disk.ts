/** The guest's second disk: this repository as it is, with what it needs to run its tests, and what each machine is to run. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDisk } from "./disk.ts";
import type { Machine } from "./suites.ts";

const REPOSITORY = join(import.meta.dir, "../..");
const CONTENT = ["src", "tests", "scripts", "dist", "package.json", "tsconfig.json", "bunfig.toml"];

/** Modules that only checks of the source use, and Bun, which goes into `bin`. */
const MODULES_LEFT_OUT = /^(\.|bun$|bun-types$|typescript$|undici-types$|@(biomejs|oven|types|typescript)$)/;

const SIZE_MIB = 1024;

/** Makes the disk in `directory`. @returns its path */
export function makeRepositoryDisk(directory: string, machines: readonly Machine[]): string {
  const from = `${directory}/repository`;
  mkdirSync(`${from}/bin`, { recursive: true });
  for (const name of CONTENT) cpSync(`${REPOSITORY}/${name}`, `${from}/${name}`, { recursive: true });
  for (const name of readdirSync(`${REPOSITORY}/node_modules`)) {
    if (MODULES_LEFT_OUT.test(name)) continue;
    cpSync(`${REPOSITORY}/node_modules/${name}`, `${from}/node_modules/${name}`, { recursive: true });
  }
  cpSync(process.execPath, `${from}/bin/bun`);
  mkdirSync(`${from}/suites`);
  for (const { name, suites } of machines) {
    const present = suites.filter((suite) => existsSync(`${REPOSITORY}/${suite.split(" ")[0]}`));
    writeFileSync(`${from}/suites/${name}`, present.map((suite) => `${suite}\n`).join(""));
  }
  const path = `${directory}/repository.ext4`;
  makeDisk({ path, from, sizeMib: SIZE_MIB });
  rmSync(from, { recursive: true });
  return path;
}
