/**
 * `user[:group]` against the text of passwd(5) and group(5): pure. The rules are docker's: a number needs no entry,
 * a name does; the groups of a user are those that list its name, unless a group is given.
 */
import type { Identity } from "./identity.ts";

/** Ids are 32 bits, and 2^32-1 means "no change" to the kernel: credentials(7). */
const ID_MAX = 4294967294;

/** A name without an entry; the message says in which file. */
export class UnknownUserError extends Error {}

/** The two files, read when they are needed. */
export interface UserFiles {
  readonly passwd: () => string;
  readonly group: () => string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves `user[:group]`; empty means root.
 * @throws {UnknownUserError} for a name without an entry.
 * @throws {RangeError} for a number above 4294967294.
 */
export function resolveIdentity(user: string, files: UserFiles): Identity {
  const [name = "", group] = splitUser(user);
  const entry = findUser(name, files);
  const gid = group === undefined ? entry.gid : findGroup(group, files);
  return { ...entry, gid, additionalGids: group === undefined ? groupsOf(entry.name, files) : [] };
}

function splitUser(user: string): [string, string | undefined] {
  const at = user.indexOf(":");
  if (at < 0) return [user, undefined];
  const group = user.slice(at + 1);
  return [user.slice(0, at), group === "" ? undefined : group];
}

function findUser(name: string, files: UserFiles): PasswdEntry {
  const wanted = name === "" ? "0" : name;
  const uid = parseId(wanted);
  const entries = parsePasswd(files.passwd());
  const entry = entries.find((candidate) =>
    uid === undefined ? candidate.name === wanted : candidate.uid === uid,
  );
  if (entry !== undefined) return entry;
  if (uid === undefined) throw new UnknownUserError(`Cannot find "${wanted}" in the image's /etc/passwd`);
  return { name: "", uid, gid: 0, home: uid === 0 ? "/root" : "/" };
}

function findGroup(group: string, files: UserFiles): number {
  const gid = parseId(group);
  if (gid !== undefined) return gid;
  const entry = parseGroup(files.group()).find((candidate) => candidate.name === group);
  if (entry === undefined) throw new UnknownUserError(`Cannot find "${group}" in the image's /etc/group`);
  return entry.gid;
}

function groupsOf(name: string, files: UserFiles): number[] {
  if (name === "") return [];
  return parseGroup(files.group())
    .filter(({ members }) => members.includes(name))
    .map(({ gid }) => gid);
}

/** Digits are a number, whatever entries the image has; anything else is a name. */
function parseId(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const id = Number(text);
  if (id > ID_MAX) throw new RangeError(`Cannot use the id ${text}: the largest is ${ID_MAX}`);
  return id;
}

/** An entry's own numbers; undefined leaves the line out. */
function entryId(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,10}$/.test(text) && Number(text) <= ID_MAX
    ? Number(text)
    : undefined;
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uidText, gidText, , home = ""] = line.split(":");
    const uid = entryId(uidText);
    const gid = entryId(gidText);
    return name === "" || uid === undefined || gid === undefined
      ? []
      : [{ name, uid, gid, home: home || "/" }];
  });
}

function parseGroup(text: string): GroupEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gidText, members = ""] = line.split(":");
    const gid = entryId(gidText);
    return name === "" || gid === undefined ? [] : [{ name, gid, members: members.split(",") }];
  });
}
