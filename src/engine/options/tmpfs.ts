/** Parses `--tmpfs PATH[:OPTIONS]`, whose options are those of mount(8) for tmpfs. */
import { parseBytes } from "./bytes.ts";
import { parseMountTarget } from "./container_path.ts";
import type { MountRequest } from "./run_options.ts";

/** A request for a tmpfs. */
export type TmpfsRequest = Extract<MountRequest, { type: "tmpfs" }>;

/** Docker's defaults: nobody executes, no set-user-id, no devices. */
export const DEFAULT_TMPFS: Omit<TmpfsRequest, "containerPath"> = {
  type: "tmpfs",
  sizeBytes: undefined,
  mode: 0o1777,
  readonly: false,
  exec: false,
  suid: false,
  dev: false,
  uid: undefined,
  gid: undefined,
};

/** Greatest user and group number: (uid_t) -1 means "none". */
const ID_MAX = 4_294_967_294;

/**
 * A tmpfs at an absolute path.
 * @throws {SyntaxError | RangeError} for a path that is not absolute, or an option that is unknown.
 */
export function parseTmpfs(text: string): TmpfsRequest {
  const colon = text.indexOf(":");
  const containerPath = parseMountTarget(colon === -1 ? text : text.slice(0, colon));
  const options = colon === -1 ? "" : text.slice(colon + 1);
  const changes = options === "" ? [] : options.split(",").map(parseOption);
  return Object.assign({ ...DEFAULT_TMPFS, containerPath }, ...changes);
}

function parseOption(option: string): Partial<TmpfsRequest> {
  const [name = "", value] = option.split("=", 2);
  return value === undefined ? parseWord(option) : parseAssignment(name, value);
}

function parseWord(word: string): Partial<TmpfsRequest> {
  switch (word) {
    case "ro":
    case "rw":
      return { readonly: word === "ro" };
    case "exec":
    case "noexec":
      return { exec: word === "exec" };
    case "suid":
    case "nosuid":
      return { suid: word === "suid" };
    case "dev":
    case "nodev":
      return { dev: word === "dev" };
    default:
      throw unknown(word);
  }
}

function parseAssignment(name: string, value: string): Partial<TmpfsRequest> {
  switch (name) {
    case "size":
      return { sizeBytes: parseBytes(value) };
    case "mode":
      return { mode: parseMode(value) };
    case "uid":
    case "gid":
      return { [name]: parseId(value) };
    default:
      throw unknown(name);
  }
}

const unknown = (name: string): SyntaxError =>
  new SyntaxError(
    `Cannot use tmpfs option "${name}": expected ro, rw, [no]exec, [no]suid, [no]dev, size=, mode=, uid= or gid=`,
  );

/**
 * Permission bits in octal digits.
 * @throws {SyntaxError} for anything but one to five octal digits up to 7777.
 */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{1,4}$/.test(text)) throw new SyntaxError(`Cannot use mode "${text}": expected octal digits`);
  return Number.parseInt(text, 8);
}

function parseId(text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(id) || id > ID_MAX) {
    throw new RangeError(`Cannot use "${text}" as a user or group number: the range is 0 to ${ID_MAX}`);
  }
  return id;
}
