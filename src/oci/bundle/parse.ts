/**
 * config.json: bytes to a checked {@link RuntimeConfig}, and the same for the two documents that are parts of one,
 * the process of `exec --process` and the resources of `update --resources`. Pure; whatever needs the machine (paths
 * that exist, what the kernel can do) is found out by the runtime. This is on the way of every start.
 *
 * Of two equal keys the last one counts, as in Go's decoder, which every caller of a runtime uses.
 */

import { DOCUMENT_BYTES_MAX } from "../json.ts";
import type { Mount, Process, Resources, RuntimeConfig } from "./config.ts";
import { ConfigError, type Fault, Faults } from "./fault.ts";
import { hooks } from "./hooks.ts";
import { scanJson } from "./json_scan.ts";
import { linux, namespaceOf } from "./linux.ts";
import { asksForIdMap, mounts as mountList } from "./mounts.ts";
import { processSchema } from "./process.ts";
import { resources } from "./resources.ts";
import {
  checkValue,
  flag,
  inSection,
  map,
  PATH_BYTES_MAX,
  type RecordSchema,
  type Report,
  record,
  type Schema,
  text,
} from "./schema.ts";

const VERSION_MAX = 128;
/** What callers write, spared a regular expression. */
const COMMON_VERSIONS = ["1.0.0", "1.0.2", "1.0.2-dev", "1.1.0", "1.2.0", "1.2.1", "1.3.0"];
const ANNOTATIONS_MAX = 16_384;
/** The kernel's __NEW_UTS_LEN. */
const HOST_NAME_MAX = 64;
/** More digits than these are no number of 64 bits; reading a million of them would take minutes. */
const DIGITS_MAX = 20;
/** A number that a double may not hold; not the digits in a container's id. Reading exactly takes 2 ms more. */
const LONG_NUMBER = /[:[,\s-]\d{16}/;

const otherPlatform: Schema = {
  kind: "refused",
  section: "config.md#platform-specific-configuration",
  reason: "it belongs to another platform, and bunker runs containers of Linux",
};

const configSchema = record<RuntimeConfig>(
  "config.md",
  {
    ociVersion: inSection("config.md#specification-version", text(VERSION_MAX, judgeVersion)),
    root: record("config.md#root", { path: text(PATH_BYTES_MAX), readonly: flag }, { required: ["path"] }),
    mounts: inSection("config.md#mounts", mountList),
    process: processSchema,
    hostname: inSection("config.md#hostname", text(HOST_NAME_MAX)),
    domainname: inSection("config.md#domainname", text(HOST_NAME_MAX)),
    hooks,
    annotations: inSection(
      "config.md#annotations",
      map(text(DOCUMENT_BYTES_MAX), judgeAnnotation, ANNOTATIONS_MAX),
    ),
    linux,
    freebsd: otherPlatform,
    solaris: otherPlatform,
    vm: otherPlatform,
    windows: otherPlatform,
    zos: otherPlatform,
  },
  { required: ["ociVersion", "root"], needs: ["linux.namespaces"], rule: checkTogether },
);

/**
 * Parses a config.json.
 * @throws {ConfigError} with every fault that can be found without a kernel
 */
export function parseConfig(source: Uint8Array | string): RuntimeConfig {
  return parseAs<RuntimeConfig>(source, configSchema);
}

/** Parses a process as `exec --process` reads it. @throws {ConfigError} */
export function parseProcess(source: Uint8Array | string): Process {
  return parseAs<Process>(source, processSchema);
}

/** Parses resources as `update --resources` reads them. @throws {ConfigError} */
export function parseResources(source: Uint8Array | string): Resources {
  return parseAs<Resources>(source, resources);
}

/** Every fault of a config.json. */
export function checkConfig(source: Uint8Array | string): readonly Fault[] {
  return inspectConfig(source).faults;
}

/** Every fault of a config.json, and what of it has none. */
export function inspectConfig(source: Uint8Array | string): {
  readonly config: Partial<RuntimeConfig>;
  readonly faults: readonly Fault[];
} {
  const { value, faults } = inspect(source, configSchema);
  return { config: (value ?? {}) as Partial<RuntimeConfig>, faults };
}

function parseAs<Type>(source: Uint8Array | string, schema: RecordSchema): Type {
  const { value, faults, cause } = inspect(source, schema);
  if (faults.length > 0) throw new ConfigError(faults, cause);
  return value as Type;
}

interface Inspection {
  /** What has no fault of it; of any type when there are faults. */
  readonly value: unknown;
  readonly faults: readonly Fault[];
  readonly cause?: unknown;
}

function inspect(source: Uint8Array | string, schema: RecordSchema): Inspection {
  const decoded = decode(source);
  if ("complaint" in decoded) {
    const fault = { path: "", message: decoded.complaint, section: schema.section };
    return { value: undefined, faults: [fault], cause: decoded.cause };
  }
  const faults = new Faults();
  checkValue(decoded.value, schema, faults);
  return { value: decoded.value, faults: faults.list };
}

type Decoded = { readonly value: unknown } | { readonly complaint: string; readonly cause?: unknown };

function decode(source: Uint8Array | string): Decoded {
  if (source.length > DOCUMENT_BYTES_MAX) {
    return { complaint: `it has ${source.length} bytes, at most ${DOCUMENT_BYTES_MAX} are read` };
  }
  let document: string;
  try {
    document = typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch (cause) {
    return { complaint: "it is not UTF-8", cause };
  }
  try {
    const value = LONG_NUMBER.test(document)
      ? JSON.parse(document, exactNumber as Reviver)
      : JSON.parse(document);
    return { value };
  } catch (cause) {
    return { complaint: whyNotJson(document), cause };
  }
}

type Reviver = (key: string, value: unknown) => unknown;

/** Reads whole numbers beyond 2^53 from their text. */
function exactNumber(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const { source = "" } = context;
  return source.length <= DIGITS_MAX && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

function whyNotJson(document: string): string {
  const { fault } = scanJson(document);
  if (fault === undefined) return "it is not JSON";
  return `it is not JSON: line ${fault.line}, column ${fault.column}: ${fault.message}`;
}

/** Every 1.x is taken: minor versions only add (config.md#specification-version). */
function judgeVersion(version: string): string | undefined {
  if (COMMON_VERSIONS.includes(version)) return undefined;
  const [, majorVersion] = /^(\d+)\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/.exec(version) ?? [];
  if (majorVersion === undefined) return "expected a version such as 1.3.0";
  return majorVersion === "1" ? undefined : `version ${majorVersion}.x is unknown; 1.x is supported`;
}

function judgeAnnotation(key: string): string | undefined {
  return key === "" ? "the key is empty" : undefined;
}

/** Rules between sections. */
function checkTogether(config: RuntimeConfig, report: Report): void {
  const parts = config.linux ?? {};
  if (namespaceOf(parts, "uts") === undefined) {
    for (const field of ["hostname", "domainname"] as const) {
      const section = `config.md#${field}`;
      if (config[field] !== undefined)
        report(field, "without a uts namespace it would change the host", section);
    }
  }
  if (namespaceOf(parts, "user") !== undefined) return;
  const mounts = config.mounts ?? [];
  for (let index = 0; index < mounts.length; index++) {
    const mount = mounts[index] as Mount;
    if (asksForIdMap(mount) !== "plain" || (mount.uidMappings ?? []).length > 0) continue;
    const message = "without a user namespace an id-mapped mount needs uidMappings and gidMappings";
    report(`mounts[${index}].options`, message, "config.md#mounts");
  }
}
