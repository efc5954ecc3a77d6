/** Control files: read whole, written by one write(2) a value, as cgroups(7) wants it. */
import { EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ENOTDIR } from "../../linux/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY, O_WRONLY } from "../../linux/abi/fcntl.ts";
import { call, callRaw, cstr, SyscallError } from "../../linux/call.ts";
import { CgroupError } from "./cgroup_error.ts";
import type { Setting } from "./settings.ts";

/** Largest control file that is read, bytes: `cgroup.procs` of as many processes as the kernel can have stays below. */
const FILE_SIZE_MAX = 64 << 20;
const CHUNK_SIZE = 16384;
const decoder = new TextDecoder();
let chunk: Uint8Array | undefined;

/**
 * Text of a control file; undefined when there is none, or its group is gone.
 * @throws {SyscallError}
 */
export function readControlFile(path: string): string | undefined {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_RDONLY | O_CLOEXEC);
  if (fd === -ENOENT || fd === -ENOTDIR || fd === -ENODEV) return undefined;
  if (fd < 0) throw new SyscallError({ name: "openat", text: `open(${JSON.stringify(path)})`, errno: -fd });
  try {
    return readWhole(fd, path);
  } finally {
    call("close", fd);
  }
}

function readWhole(fd: number, path: string): string | undefined {
  chunk ??= new Uint8Array(new ArrayBuffer(CHUNK_SIZE));
  let text = "";
  while (text.length < FILE_SIZE_MAX) {
    const count = callRaw("read", fd, chunk, CHUNK_SIZE);
    if (count === 0) return text;
    if (count === -ENODEV) return undefined;
    if (count < 0)
      throw new SyscallError({ name: "read", text: `read(${JSON.stringify(path)})`, errno: -count });
    text += decoder.decode(chunk.subarray(0, count));
  }
  throw new RangeError(`Cannot read "${path}": more than ${FILE_SIZE_MAX} bytes`);
}

/** Writes one value; the negated error number for a failure. */
export function tryWriteControlFile(path: string, value: string): number {
  const fd = callRaw("openat", AT_FDCWD, cstr(path), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fd;
  const result = writeValue(fd, value);
  call("close", fd);
  return result;
}

function writeValue(fd: number, value: string): number {
  const bytes = cstr(value);
  return callRaw("write", fd, bytes, bytes.length - 1);
}

/** {@link tryWriteControlFile}. @throws {SyscallError} */
export function writeControlFile(path: string, value: string): void {
  const result = tryWriteControlFile(path, value);
  if (result < 0) throw writeError(path, value, result);
}

const writeError = (path: string, value: string, result: number): SyscallError =>
  new SyscallError({
    name: "write",
    text: `write(${JSON.stringify(path)}, ${JSON.stringify(value)})`,
    errno: -result,
  });

/** Directories of a group by controller. */
export type ControllerDirectories = (controller: string) => string | undefined;

/**
 * Writes all settings in their order; those that the kernel refuses because of another's old value again after it.
 * @throws {CgroupError} that names the member of `linux.resources`
 */
export function writeSettings(settings: readonly Setting[], directoryOf: ControllerDirectories): void {
  using files = new OpenFile();
  let pending = settings;
  while (pending.length > 0) {
    const refused: { readonly setting: Setting; readonly error: SyscallError }[] = [];
    for (const setting of pending) {
      const error = writeSetting(files, setting, directoryOf);
      if (error === undefined) continue;
      if (setting.depends !== true || !isOrder(error)) throw settingError(setting, error);
      refused.push({ setting, error });
    }
    const [first] = refused;
    if (first !== undefined && refused.length === pending.length)
      throw settingError(first.setting, first.error);
    pending = refused.map(({ setting }) => setting);
  }
}

/** Errors that another value may be the reason of. */
const isOrder = ({ errno }: SyscallError): boolean => errno === EINVAL || errno === EBUSY;

/** The file of the last write: for values in a row it stays open. */
class OpenFile implements Disposable {
  #path = "";
  #fd = -1;

  /** The negated error number for a failure. */
  open(path: string): number {
    if (this.#path === path) return this.#fd;
    this[Symbol.dispose]();
    const fd = callRaw("openat", AT_FDCWD, cstr(path), O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
      this.#path = path;
      this.#fd = fd;
    }
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) call("close", this.#fd);
    this.#fd = -1;
    this.#path = "";
  }
}

/** @returns the refusal */
function writeSetting(
  files: OpenFile,
  setting: Setting,
  directoryOf: ControllerDirectories,
): SyscallError | undefined {
  const directory = directoryOf(setting.controller);
  if (directory === undefined) {
    if (setting.optional === true) return undefined;
    throw new CgroupError(
      `Cannot set linux.resources.${setting.field}: there is no "${setting.controller}" controller to be had`,
    );
  }
  let { file, value } = setting;
  let fd = files.open(`${directory}/${file}`);
  if (fd === -ENOENT || fd === -EACCES) {
    if (setting.optional === true) return undefined;
    if (setting.otherwise !== undefined) {
      ({ file, value } = setting.otherwise);
      fd = files.open(`${directory}/${file}`);
    }
  }
  const result = fd < 0 ? fd : writeValue(fd, value);
  return result >= 0 ? undefined : writeError(`${directory}/${file}`, value, result);
}

const settingError = (setting: Setting, cause: SyscallError): CgroupError =>
  new CgroupError(`Cannot set linux.resources.${setting.field} to "${setting.value}": the kernel refuses`, {
    cause,
  });
