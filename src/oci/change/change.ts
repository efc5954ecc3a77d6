/**
 * Changes of an image's configuration, written as instructions of a Dockerfile: `CMD ["sh"]`, `ENV A=1`. What `import`
 * and `commit` take with `--change`.
 */
import { type JsonObject, stringsAt } from "../json.ts";
import { parseHealthcheck } from "./healthcheck.ts";
import {
  ChangeFault,
  expandText,
  fault,
  INSTRUCTION_LENGTH_MAX,
  jsonWords,
  splitWords,
  type Variables,
} from "./words.ts";

/** The part of a configuration that changes: `config` of an image's document. */
export interface ChangeableConfig extends JsonObject {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Shell?: readonly string[];
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly WorkingDir?: string;
  readonly OnBuild?: readonly string[];
}

/** Items of a list that a change adds to. */
const ITEM_COUNT_MAX = 10_000;

/**
 * The `config` of an image's document, whose other fields were looked at by parseImageConfig(); what is null is left out.
 * @throws {SyntaxError} for a list that is none
 */
export function changeableConfig(object: JsonObject): ChangeableConfig {
  for (const key of ["Shell", "OnBuild"]) stringsAt(object[key], `config.${key}`, ITEM_COUNT_MAX);
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/** What is known while one instruction is applied. */
interface Applying {
  readonly config: ChangeableConfig;
  readonly variables: Variables;
  /** A CMD came before: an ENTRYPOINT leaves it. */
  readonly hasCmd: boolean;
}

/** Instructions of one list of changes; no real one has a tenth of it. */
const CHANGE_COUNT_MAX = 1000;
const PORT_MAX = 65_535;
const DEFAULT_SHELL = ["/bin/sh", "-c"];

/**
 * Applies changes, each a line or several, in their order.
 * @returns the new configuration
 * @throws {SyntaxError} that quotes the change
 */
export function applyChanges(config: ChangeableConfig, changes: readonly string[]): ChangeableConfig {
  const lines = changes.flatMap(linesOf);
  if (lines.length > CHANGE_COUNT_MAX) {
    throw new SyntaxError(`Cannot apply ${lines.length} changes: at most ${CHANGE_COUNT_MAX} are taken`);
  }
  let changed = config;
  let hasCmd = false;
  for (const line of lines) {
    try {
      changed = applyLine(line, { config: changed, variables: variablesOf(changed), hasCmd });
    } catch (error) {
      if (!(error instanceof ChangeFault)) throw error;
      throw new SyntaxError(`Cannot apply the change ${JSON.stringify(line.slice(0, 100))}: ${error.state}`);
    }
    hasCmd ||= /^cmd[\s=]/i.test(line);
  }
  return changed;
}

/** A backslash at the end of a line joins it with the next. */
function linesOf(change: string): string[] {
  const lines = change.replace(/\\[ \t]*\r?\n/g, "").split(/\r?\n/);
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}

function variablesOf({ Env = [] }: ChangeableConfig): Variables {
  return new Map(Env.map((entry) => [nameOf(entry), entry.slice(nameOf(entry).length + 1)]));
}

const nameOf = (entry: string): string => entry.split("=", 1)[0] ?? "";

function applyLine(line: string, applying: Applying): ChangeableConfig {
  if (line.length > INSTRUCTION_LENGTH_MAX) throw fault("it is too long");
  const [word = "", rest = ""] = /^([^\s=]+)(?:\s+|=|$)(.*)$/s.exec(line)?.slice(1) ?? [];
  const apply = instructions.get(word.toUpperCase());
  if (apply === undefined) {
    throw fault(`"${word}" is none of ${[...instructions.keys()].join(", ")}`);
  }
  if (rest.trim() === "") throw fault("it has no argument");
  return { ...applying.config, ...apply(rest.trim(), applying) };
}

type Apply = (rest: string, applying: Applying) => ChangeableConfig;

const instructions: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ["CMD", (rest, { config }) => ({ Cmd: commandOf(rest, config) })],
  ["ENTRYPOINT", entrypoint],
  ["ENV", (rest, { config, variables }) => ({ Env: withEnv(config.Env ?? [], pairsOf(rest, variables)) })],
  ["EXPOSE", expose],
  ["HEALTHCHECK", (rest) => ({ Healthcheck: parseHealthcheck(rest) })],
  ["LABEL", label],
  ["ONBUILD", onBuild],
  ["STOPSIGNAL", (rest, { variables }) => ({ StopSignal: oneWord(rest, variables) })],
  ["USER", (rest, { variables }) => ({ User: oneWord(rest, variables) })],
  ["VOLUME", volume],
  [
    "WORKDIR",
    (rest, { config, variables }) => ({ WorkingDir: join(config.WorkingDir, expandText(rest, variables)) }),
  ],
]);

/** An entry point drops a command that was meant for the one before. */
function entrypoint(rest: string, { config, hasCmd }: Applying): ChangeableConfig {
  return { Entrypoint: commandOf(rest, config), ...(hasCmd ? {} : { Cmd: null }) };
}

/** `["a", "b"]`, or the text for a shell. */
function commandOf(rest: string, { Shell = DEFAULT_SHELL }: ChangeableConfig): readonly string[] {
  return jsonWords(rest) ?? [...Shell, rest];
}

type Pair = readonly [key: string, value: string];

/** `A=1 B="2 3"`, or the old form of one pair, `A 1 2`. */
function pairsOf(rest: string, variables: Variables): Pair[] {
  const [first = ""] = rest.split(/[ \t]/, 1);
  if (!first.includes("=")) {
    const value = rest.slice(first.length).trim();
    if (value === "") throw fault(`"${first}" has no value`);
    return [[expandText(first, variables), expandText(value, variables)]];
  }
  return splitWords(rest, variables).map((word) => {
    const at = word.indexOf("=");
    if (at <= 0) throw fault(`"${word}" is not of the form KEY=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** A variable that is there keeps its place. */
function withEnv(env: readonly string[], pairs: readonly Pair[]): readonly string[] {
  const entries = new Map(env.map((entry) => [nameOf(entry), entry]));
  for (const [key, value] of pairs) entries.set(key, `${key}=${value}`);
  return [...entries.values()];
}

function label(rest: string, { config, variables }: Applying): ChangeableConfig {
  return {
    Labels: Object.fromEntries([...Object.entries(config.Labels ?? {}), ...pairsOf(rest, variables)]),
  };
}

function expose(rest: string, { config, variables }: Applying): ChangeableConfig {
  const ports = splitWords(rest, variables).flatMap(portsOf);
  return { ExposedPorts: { ...config.ExposedPorts, ...setOf(ports) } };
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function portsOf(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || first > last || last > PORT_MAX) throw fault(`"${word}" is not a port`);
  const protocol = (match[3] ?? "tcp").toLowerCase();
  return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}/${protocol}`);
}

function volume(rest: string, { config, variables }: Applying): ChangeableConfig {
  const paths = jsonWords(rest)?.map((path) => expandText(path, variables)) ?? splitWords(rest, variables);
  if (paths.includes("")) throw fault("a path is empty");
  return { Volumes: { ...config.Volumes, ...setOf(paths) } };
}

const setOf = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, {}]));

function oneWord(rest: string, variables: Variables): string {
  const words = splitWords(rest, variables);
  const [word] = words;
  if (word === undefined || words.length > 1) throw fault("one word is wanted");
  return word;
}

/** The instruction waits for a build from the image; that it can be one is all that is looked at. */
function onBuild(rest: string, { config }: Applying): ChangeableConfig {
  const word = (/^\S+/.exec(rest)?.[0] ?? "").toUpperCase();
  if (["ONBUILD", "FROM", "MAINTAINER"].includes(word)) throw fault(`"${word}" cannot wait for a build`);
  return { OnBuild: [...(config.OnBuild ?? []), rest] };
}

/** A relative path goes on from the working directory so far. */
function join(from = "/", path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${from}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
