/**
 * Image configs (image-spec, config.md): what to run in an image, and the digests of its unpacked layers. Text in here
 * is the image author's: nothing in it may reach a path or an environment of the engine's own unchecked.
 */
import { digestAt } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import {
  arrayAt,
  type JsonObject,
  objectAt,
  optionalObject,
  optionalString,
  parseJsonObject,
  show,
  stringAt,
  stringsAt,
} from "./json.ts";
import { LAYER_COUNT_MAX } from "./manifest.ts";
import { normalisePlatform, type Platform } from "./platform.ts";

/** Most items in one list of the config; no real image has a tenth of it. */
const ITEM_COUNT_MAX = 10_000;

/** What a container starts from; lists and strings are empty where the config says nothing. */
export interface ProcessConfig {
  /** `KEY=value`. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  /** `user|uid[:group|gid]`, to be resolved in the image. */
  readonly user: string;
  /** Name or number. */
  readonly stopSignal: string;
  /** Container paths. */
  readonly volumes: readonly string[];
  /** `port[/protocol]`. */
  readonly exposedPorts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** One line of `history`; `isEmptyLayer` marks steps that made no layer. */
export interface HistoryEntry {
  readonly created?: string;
  readonly createdBy?: string;
  readonly comment?: string;
  readonly isEmptyLayer: boolean;
}

/** A whole config document. */
export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339 as the image has it. */
  readonly created?: string;
  readonly author?: string;
  readonly config: ProcessConfig;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/**
 * @param bytes as served
 * @param layerCount of the manifest; each layer must have its diff_id
 * @throws {SyntaxError} when a field has the wrong shape or a diff_id is missing
 * @throws {RangeError} when it exceeds a limit
 */
export function parseImageConfig(bytes: Uint8Array, layerCount: number): ImageConfig {
  const document = parseJsonObject(bytes, "image config");
  const created = optionalString(document, "created", "image config");
  const author = optionalString(document, "author", "image config");
  return {
    platform: parseConfigPlatform(document),
    ...(created === undefined ? {} : { created }),
    ...(author === undefined ? {} : { author }),
    config: parseProcessConfig(optionalObject(document, "config", "image config") ?? {}),
    diffIds: parseDiffIds(document, layerCount),
    history: arrayAt(document["history"], "history", ITEM_COUNT_MAX).map(parseHistoryEntry),
  };
}

function parseConfigPlatform(document: JsonObject): Platform {
  return normalisePlatform({
    // Images that were built by hand leave these out: Docker takes them for linux of the host's architecture.
    os: optionalString(document, "os", "image config") ?? "linux",
    architecture: optionalString(document, "architecture", "image config") ?? process.arch,
    variant: optionalString(document, "variant", "image config"),
  });
}

function parseProcessConfig(object: JsonObject): ProcessConfig {
  const list = (key: string): readonly string[] => stringsAt(object[key], `config.${key}`, ITEM_COUNT_MAX);
  const text = (key: string): string => optionalString(object, key, "config") ?? "";
  return {
    env: list("Env"),
    entrypoint: list("Entrypoint"),
    cmd: list("Cmd"),
    workingDir: text("WorkingDir"),
    user: text("User"),
    stopSignal: text("StopSignal"),
    volumes: keysAt(object, "Volumes"),
    exposedPorts: keysAt(object, "ExposedPorts"),
    labels: parseLabels(object),
  };
}

/** Go writes a set of strings as an object with empty values. */
function keysAt(object: JsonObject, key: string): readonly string[] {
  const path = `config.${key}`;
  const keys = Object.keys(optionalObject(object, key, "config") ?? {});
  return stringsAt(keys, path, ITEM_COUNT_MAX);
}

function parseLabels(object: JsonObject): Readonly<Record<string, string>> {
  const labels = Object.entries(optionalObject(object, "Labels", "config") ?? {});
  if (labels.length > ITEM_COUNT_MAX) {
    throw new RangeError(
      `Cannot read config.Labels: it has ${labels.length} items, at most ${ITEM_COUNT_MAX} are read`,
    );
  }
  return Object.fromEntries(
    labels.map(([key, value]) => [stringAt(key, "config.Labels"), stringAt(value, "config.Labels")]),
  );
}

function parseDiffIds(document: JsonObject, layerCount: number): readonly Digest[] {
  const rootfs = optionalObject(document, "rootfs", "image config") ?? {};
  const type = optionalString(rootfs, "type", "rootfs") ?? "layers";
  if (type !== "layers")
    throw new SyntaxError(`Cannot read rootfs.type: expected "layers", found ${show(type)}`);
  const items = arrayAt(rootfs["diff_ids"], "rootfs.diff_ids", LAYER_COUNT_MAX);
  if (items.length !== layerCount) {
    throw new SyntaxError(
      `Cannot read rootfs.diff_ids: ${items.length} for the manifest's ${layerCount} layers`,
    );
  }
  return items.map((item, index) => digestAt(item, `rootfs.diff_ids[${index}]`));
}

function parseHistoryEntry(value: unknown, index: number): HistoryEntry {
  const path = `history[${index}]`;
  const object = objectAt(value, path);
  const created = optionalString(object, "created", path);
  const createdBy = optionalString(object, "created_by", path);
  const comment = optionalString(object, "comment", path);
  return {
    ...(created === undefined ? {} : { created }),
    ...(createdBy === undefined ? {} : { createdBy }),
    ...(comment === undefined ? {} : { comment }),
    isEmptyLayer: object["empty_layer"] === true,
  };
}
