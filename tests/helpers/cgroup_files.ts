/** Files of a container's control group, as the host reads them, in whichever version is mounted. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";

/** Whose group it is. */
interface Named {
  readonly id: string;
}

import { type Need, whyMissing } from "./requires.ts";

/** Whose group it is. */
interface Named {
  readonly id: string;
}

const ROOT = "/sys/fs/cgroup";

/** 1 where controllers have hierarchies of their own. */
export const version: 1 | 2 = whyMissing(["cgroup v1"]) === undefined ? 1 : 2;

/** What tests of limits need. */
export const CGROUP: readonly Need[] = version === 1 ? ["cgroup v1"] : ["cgroup v2"];

/** The directory of a group, by its path from the root and, in version 1, its controller. */
export function groupOf(path: string, controller: string): string {
  return version === 1 ? `${ROOT}/${controller}${path}` : `${ROOT}${path}`;
}

/** A value of the bundle's group: `names` are the files of version 1 and 2. */
export function limitIn(bundle: Named, controller: string, names: Readonly<Record<1 | 2, string>>): string {
  return readFileSync(`${groupOf(`/${bundle.id}`, controller)}/${names[version]}`, "utf8").trim();
}

/** Whether a controller of version 1 has a file, or version 2 has one of that name. */
export function hasFile(controller: string, names: Readonly<Record<1 | 2, string>>): boolean {
  const directory = version === 1 ? `${ROOT}/${controller}` : ROOT;
  if (existsSync(`${directory}/${names[version]}`)) return true;
  // The root of version 2 has few files; its children have them all.
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .some(({ name }) => existsSync(`${directory}/${name}/${names[version]}`));
}

/** The groups in all hierarchies that have a path. */
export function groupsAt(path: string): readonly string[] {
  const hierarchies = version === 1 ? readdirSync(ROOT).map((name) => `${ROOT}/${name}`) : [ROOT];
  return hierarchies.map((directory) => `${directory}${path}`).filter((directory) => existsSync(directory));
}

/** Within this a process that ends leaves its group. */
const EMPTY_MS_MAX = 10_000;
const LOOK_MS = 20;

/**
 * Removes a group with those below it, once they are empty: what looks after a container, conmon for one, ends a moment
 * later than the command that waited for that.
 * @throws the last error of rmdir(2)
 */
export async function removeGroupTree(directory: string): Promise<void> {
  for (const end = Date.now() + EMPTY_MS_MAX; existsSync(directory); await Bun.sleep(LOOK_MS)) {
    try {
      removeBelow(directory);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

/** The deepest first. */
function removeBelow(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeBelow(`${directory}/${entry.name}`);
  }
  rmdirSync(directory);
}

/** Removes an empty group from all hierarchies. */
export function removeGroup(path: string): void {
  for (const directory of groupsAt(path)) rmdirSync(directory);
}
