/**
 * Where the control group of a container is: decided before anything is made, so that it can be written down and removed
 * by another process. Plain data, for state.json.
 *
 *     cgroupsPath      directory
 *     "/a/b"           MOUNT/a/b
 *     "a/b"            below the runtime's own group (version 2: beside it, since a group with processes has no children)
 *     none             MOUNT/bunker-ID; as an ordinary user beside the runtime's own group
 *     "slice:pre:name" with systemd: slice/pre-name.scope
 */
import { readSmallText } from "../../linux/small_file.ts";
import { CgroupError } from "./cgroup_error.ts";
import { findHierarchies, type Hierarchies, parseCgroupFile } from "./hierarchies.ts";

/** Who makes control groups. */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

/** The control group of one container; JSON. */
export interface CgroupPlace {
  /** 0: none, since control groups are disabled or not to be had. */
  readonly version: 0 | 1 | 2;
  readonly manager: CgroupManager;
  /** By controller as in /proc/PID/cgroup (`memory`, `name=systemd`); version 2 has one, `""`. Several may be the same. */
  readonly directories: Readonly<Record<string, string>>;
  /** Directories above that were made with it, the deepest first. */
  readonly parents?: readonly string[];
  /** With systemd: what the group belongs to. */
  readonly unit?: SystemdUnit;
}

/** A scope, or for cgroupsPath names that end so, a slice. */
export interface SystemdUnit {
  readonly slice: string;
  readonly name: string;
  /** Of the user's own systemd. */
  readonly user: boolean;
}

/** What decides where it is. */
export interface CgroupLocation {
  readonly id: string;
  readonly cgroupsPath?: string | undefined;
  readonly manager: CgroupManager;
  readonly rootless: boolean;
  /** Whether the container gets a cgroup namespace of its own. */
  readonly ownNamespace: boolean;
}

/** No control group at all. */
export const NO_CGROUP: CgroupPlace = { version: 0, manager: "disabled", directories: {} };

const PREFIX = "bunker-";

/**
 * Finds the place; touches nothing.
 * @throws {CgroupError} for a cgroupsPath that the manager cannot use, config-linux.md#cgroups-path
 */
export function locateCgroup(location: CgroupLocation): CgroupPlace {
  if (location.manager === "disabled") return NO_CGROUP;
  const hierarchies = findHierarchies();
  if (hierarchies === undefined) return NO_CGROUP;
  return placeIn(hierarchies, location, () => parseCgroupFile(readSmallText("/proc/self/cgroup") ?? ""));
}

type OwnGroups = () => Readonly<Record<string, string>>;

/** {@link locateCgroup} on given hierarchies. @param ownGroups groups of this process, read only where they matter */
export function placeIn(
  hierarchies: Hierarchies,
  location: CgroupLocation,
  ownGroups: OwnGroups,
): CgroupPlace {
  if (location.manager === "systemd") return placeOfUnit(hierarchies, location, ownGroups);
  const path = cleanPath(location.cgroupsPath ?? "");
  const { absolute, inner } =
    path === ""
      ? { absolute: !location.rootless, inner: `/${PREFIX}${location.id}` }
      : { absolute: (location.cgroupsPath ?? "").startsWith("/"), inner: path };
  return { manager: "cgroupfs", ...directoriesOf(hierarchies, inner, absolute ? undefined : ownGroups()) };
}

type Directories = Pick<CgroupPlace, "version" | "directories">;

function directoriesOf(
  hierarchies: Hierarchies,
  inner: string,
  own: Readonly<Record<string, string>> | undefined,
): Directories {
  if (hierarchies.version === 2) {
    const above = own === undefined ? "" : parentOf(cleanPath(own[""] ?? "/"));
    return { version: 2, directories: { "": `${hierarchies.root}${above}${inner}` } };
  }
  const entries = Object.entries(hierarchies.mounts).map(([controller, mount]) => {
    const above = own === undefined ? "" : cleanPath(own[controller] ?? "/");
    return [controller, `${mount}${above}${inner}`] as const;
  });
  return { version: 1, directories: Object.fromEntries(entries) };
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** `/a/b` of whatever leads there when ".." cannot go above the top; "" for the top itself. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.map((part) => `/${part}`).join("");
}

function placeOfUnit(hierarchies: Hierarchies, location: CgroupLocation, ownGroups: OwnGroups): CgroupPlace {
  const unit = parseUnit(location);
  const above = unit.user ? userManagerPath(ownGroups()) : "";
  const inner = `${above}${slicePath(unit.slice)}/${unit.name}`;
  return { manager: "systemd", unit, ...directoriesOf(hierarchies, inner, undefined) };
}

/** `slice:prefix:name`; an empty slice is the default one. */
function parseUnit({ id, cgroupsPath, rootless }: CgroupLocation): SystemdUnit {
  const text = cgroupsPath === undefined || cgroupsPath === "" ? `:bunker:${id}` : cgroupsPath;
  const parts = text.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "" || name.includes("/") || prefix.includes("/")) {
    throw new CgroupError(
      `Cannot use linux.cgroupsPath ${JSON.stringify(text)}: systemd wants "slice:prefix:name"`,
      { hint: "Leave out --systemd-cgroup for a path" },
    );
  }
  const scope = prefix === "" ? `${name}.scope` : `${prefix}-${name}.scope`;
  const fallback = rootless ? "user.slice" : "system.slice";
  return {
    slice: slice === "" ? fallback : slice,
    name: name.endsWith(".slice") ? name : scope,
    user: rootless,
  };
}

/** `a-b.slice` lies in `/a.slice/a-b.slice`: systemd.slice(5). @throws {CgroupError} for another name */
export function slicePath(slice: string): string {
  if (slice === "-.slice") return "";
  const name = slice.endsWith(".slice") ? slice.slice(0, -".slice".length) : "";
  const parts = name.split("-");
  if (slice.includes("/") || parts.includes("")) {
    throw new CgroupError(
      `Cannot use ${JSON.stringify(slice)} of linux.cgroupsPath: not the name of a slice`,
    );
  }
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

/** The group of the user's own systemd, `/user.slice/user-1000.slice/user@1000.service`, of a process below it. */
function userManagerPath(own: Readonly<Record<string, string>>): string {
  const path = own[""] ?? own["name=systemd"] ?? "";
  const found = /^.*\/user@[0-9]+\.service(?=\/|$)/.exec(path);
  if (found !== null) return found[0];
  const uid = process.getuid?.() ?? 0;
  return `/user.slice/user-${uid}.slice/user@${uid}.service`;
}
