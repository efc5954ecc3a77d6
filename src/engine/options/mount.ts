/** Parses `--mount type=bind,source=…,target=…` and `--mount type=tmpfs,target=…`. */
import { UsageError } from "../../errors.ts";
import { parseBytes } from "./bytes.ts";
import { parseMountTarget } from "./container_path.ts";
import { parseCsvLine } from "./csv.ts";
import { resolveHostPath } from "./host_path.ts";
import { DEFAULT_PROPAGATION, isPropagation } from "./propagation.ts";
import type { MountRequest } from "./run_options.ts";
import { DEFAULT_TMPFS, parseMode } from "./tmpfs.ts";

/** Every key by the name that it is kept under. */
const KEYS: Readonly<Record<string, string>> = {
  type: "type",
  source: "source",
  src: "source",
  target: "target",
  dst: "target",
  destination: "target",
  readonly: "readonly",
  ro: "readonly",
  "bind-propagation": "bind-propagation",
  "tmpfs-size": "tmpfs-size",
  "tmpfs-mode": "tmpfs-mode",
};

/**
 * A bind mount or a tmpfs, in docker's CSV form. A missing source is refused by the engine, never made.
 * @throws {SyntaxError | RangeError} for a wrong form, @throws {UsageError} for a type that is not supported.
 */
export function parseMount(text: string): MountRequest {
  const values = parseFields(text);
  const type = values.get("type") ?? "volume";
  const target = values.get("target");
  if (type !== "bind" && type !== "tmpfs") {
    throw new UsageError(`Cannot mount a filesystem of type "${type}": it is not supported yet`, {
      hint: "Write type=bind or type=tmpfs",
    });
  }
  if (target === undefined) throw new SyntaxError(`Cannot mount "${text}": it has no target`);
  const containerPath = parseMountTarget(target);
  const readonly = parseSwitch(values.get("readonly"));
  return type === "bind"
    ? bindOf(values, { containerPath, readonly })
    : tmpfsOf(values, { containerPath, readonly });
}

function parseFields(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const field of parseCsvLine(text)) {
    const equals = field.indexOf("=");
    const word = (equals === -1 ? field : field.slice(0, equals)).trim().toLowerCase();
    const key = Object.hasOwn(KEYS, word) ? KEYS[word] : undefined;
    if (key === undefined) {
      throw new SyntaxError(
        `Cannot use mount key "${word}": expected one of ${Object.keys(KEYS).join(", ")}`,
      );
    }
    if (equals === -1 && key !== "readonly")
      throw new SyntaxError(`Cannot use mount key "${word}": it has no value`);
    if (values.has(key)) throw new SyntaxError(`Cannot use mount key "${word}": it is given twice`);
    values.set(key, equals === -1 ? "true" : field.slice(equals + 1));
  }
  return values;
}

interface Common {
  readonly containerPath: string;
  readonly readonly: boolean;
}

function bindOf(values: ReadonlyMap<string, string>, common: Common): MountRequest {
  refuseKeys(values, ["tmpfs-size", "tmpfs-mode"], "bind");
  const source = values.get("source");
  if (source === undefined || source === "")
    throw new SyntaxError("Cannot make a bind mount: it has no source");
  const propagation = values.get("bind-propagation") ?? DEFAULT_PROPAGATION;
  if (!isPropagation(propagation)) {
    throw new SyntaxError(`Cannot use bind-propagation "${propagation}": expected a word such as rslave`);
  }
  return { type: "bind", ...common, hostPath: resolveHostPath(source), propagation, createHostPath: false };
}

function tmpfsOf(values: ReadonlyMap<string, string>, common: Common): MountRequest {
  refuseKeys(values, ["source", "bind-propagation"], "tmpfs");
  const size = values.get("tmpfs-size");
  const mode = values.get("tmpfs-mode");
  return {
    ...DEFAULT_TMPFS,
    ...common,
    sizeBytes: size === undefined ? undefined : parseBytes(size),
    mode: mode === undefined ? DEFAULT_TMPFS.mode : parseMode(mode),
  };
}

function refuseKeys(values: ReadonlyMap<string, string>, keys: readonly string[], type: string): void {
  const wrong = keys.find((key) => values.has(key));
  if (wrong !== undefined)
    throw new SyntaxError(`Cannot use mount key "${wrong}": it does not go with type=${type}`);
}

function parseSwitch(text: string | undefined): boolean {
  if (text === undefined || text === "false" || text === "0") return false;
  if (text === "true" || text === "1") return true;
  throw new SyntaxError(`Cannot use readonly "${text}": expected true or false`);
}
