/** Paths of a bundle's root as text: what the engine's side and the plan both need. */
import type { Mount } from "../../oci/bundle/config.ts";

/** Path relative to the root, as openat2(2) wants it. */
export const relative = (path: string): string => path.replace(/^\/+/, "") || ".";

/** Paths that must not be reached through a link of the image, whatever is mounted there. */
export const isReal = (path: string): boolean => path === "/dev" || /^\/(proc|sys)(\/|$)/.test(path);

/** Sources of bind mounts, and the root, are relative to the bundle (config.md#mounts, #root). */
export const absoluteSource = (bundle: string, source: string): string =>
  source.startsWith("/") ? source : `${bundle}/${source}`;

/** Whether a bind mount takes what is mounted below its source too; the type alone, without an option, does. */
export const isRecursive = ({ options = [] }: Mount): boolean =>
  options.includes("rbind") || !options.includes("bind");

/** An absolute path without `.`, `..` and double slashes; relative ones begin at "/" (config.md#mounts). */
export function cleanPath(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}
