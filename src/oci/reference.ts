/**
 * Names of images: `[REGISTRY[:PORT]/]REPOSITORY[:TAG][@DIGEST]`. A name without a registry means Docker Hub, a single
 * word there means `library/WORD`. The first part is a registry only when it is `localhost`, has a "." or ":", or an
 * upper-case letter, which no repository may have. On the way of every `run`: pure, and it imports one small module.
 */
import { type Digest, parseDigest } from "./digest.ts";

/** A parsed name; at least one of `tag` and `digest` is there. When both are, the digest decides. */
export interface Reference {
  /** Host and perhaps port, e.g. `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** Lower-case path, e.g. `library/alpine`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The registry that names without one belong to. */
export const DEFAULT_REGISTRY = "docker.io";
export const DEFAULT_TAG = "latest";

/** Longest registry and repository together, as Docker has it. */
const NAME_LENGTH_MAX = 255;
const REFERENCE_LENGTH_MAX = 512;
const PORT_MAX = 65_535;

/** Other names of Docker Hub: the first two are its API hosts, the third was its index. */
const HUB_ALIASES: readonly string[] = ["registry.hub.docker.com", "registry-1.docker.io", "index.docker.io"];

const HOST =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const BARE_ID = /^[0-9a-f]{64}$/;
/** An image id, or the beginning of one: never a name, though `sha256` could be a repository. */
const PREFIXED_ID = /^sha256:[0-9a-f]+$/;

/**
 * Parses a name as a person writes it; without tag and digest the tag is `latest`.
 * @throws {SyntaxError} that says which part is wrong
 */
export function parseReference(text: string): Reference {
  if (text.length > REFERENCE_LENGTH_MAX) fail(text.slice(0, NAME_LENGTH_MAX), "it is too long");
  if (isImageId(text)) fail(text, "it is an image id, not a name");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : parsePin(text, text.slice(at + 1));
  const { name, tag } = splitTag(text, at < 0 ? text : text.slice(0, at));
  const { registry, repository } = splitName(text, name);
  checkName(text, { registry, repository });
  return {
    registry,
    repository,
    ...(tag === undefined && digest !== undefined ? {} : { tag: tag ?? DEFAULT_TAG }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * Parses the name of a registry as a person gives it to `login`: a host with or without a port, or a URL, whose path
 * is left out.
 * @returns as in {@link Reference.registry}; every name of Docker Hub becomes {@link DEFAULT_REGISTRY}
 * @throws {SyntaxError} when no reference could name it
 */
export function parseRegistry(text: string): string {
  const host = text.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  if (HUB_ALIASES.includes(host) || host === DEFAULT_REGISTRY) return DEFAULT_REGISTRY;
  const isHost = isRegistry(host) && HOST.test(host) && URL.canParse(`http://${host}`);
  if (!isHost || host.length > NAME_LENGTH_MAX) {
    const shown = JSON.stringify(text.slice(0, NAME_LENGTH_MAX));
    throw new SyntaxError(
      `Cannot parse registry ${shown}: expected a host name with a "." or a port, or "localhost"`,
    );
  }
  return host;
}

/** The full form, e.g. `docker.io/library/alpine:latest`; {@link parseReference} gives the same back. */
export function formatReference(reference: Reference): string {
  return `${reference.registry}/${reference.repository}${suffix(reference)}`;
}

/** True for an image's id that cannot be a name: with its prefix, or whole. {@link parseReference} refuses it. */
export function isImageId(text: string): boolean {
  return PREFIXED_ID.test(text) || BARE_ID.test(text);
}

/** True for what may stand behind the colon of a name. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** The form that a person would write: without `docker.io/` and `library/` where they are implied. */
export function familiarReference(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** {@link familiarReference} without tag and digest, e.g. `alpine`, `localhost:5000/a/b`. */
export function familiarName({ registry, repository }: Reference): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const [first = "", second, third] = repository.split("/");
  if (first === "library" && second !== undefined && third === undefined)
    return isIdWord(second) ? repository : second;
  return isRegistry(first) ? `${registry}/${repository}` : repository;
}

/** What would be taken for an image's id, alone or with a tag. */
const isIdWord = (word: string): boolean => word === "sha256" || BARE_ID.test(word);

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function parsePin(text: string, pin: string): Digest {
  try {
    return parseDigest(pin);
  } catch (cause) {
    throw new SyntaxError(`${describe(text)}: expected "sha256:" and 64 lower-case hex digits after "@"`, {
      cause,
    });
  }
}

function splitTag(text: string, nameAndTag: string): { name: string; tag: string | undefined } {
  const colon = nameAndTag.indexOf(":", nameAndTag.lastIndexOf("/") + 1);
  if (colon < 0) return { name: nameAndTag, tag: undefined };
  const tag = nameAndTag.slice(colon + 1);
  if (!TAG.test(tag)) fail(text, `the tag ${JSON.stringify(tag)} is not 1 to 128 of A-Z a-z 0-9 _ . -`);
  return { name: nameAndTag.slice(0, colon), tag };
}

function splitName(text: string, name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const hasRegistry = slash >= 0 && isRegistry(first);
  const registry = hasRegistry && !HUB_ALIASES.includes(first) ? first : DEFAULT_REGISTRY;
  const repository = hasRegistry ? name.slice(slash + 1) : name;
  if (!hasRegistry && BARE_ID.test(name)) fail(text, "64 hex digits are an image id, not a name");
  const isOfficial = registry === DEFAULT_REGISTRY && !repository.includes("/");
  return { registry, repository: isOfficial ? `library/${repository}` : repository };
}

function isRegistry(first: string): boolean {
  return first === "localhost" || /[.:A-Z]/.test(first);
}

function checkName(text: string, { registry, repository }: Reference): void {
  const [matched, port = "1"] = HOST.exec(registry) ?? [];
  if (matched === undefined)
    fail(text, `${JSON.stringify(registry)} is not a host name with an optional port`);
  if (Number(port) > PORT_MAX || Number(port) === 0) fail(text, `the port is not 1 to ${PORT_MAX}`);
  // The pattern lets through what no URL can hold, e.g. "1.2.3.4.5".
  const isHost = registry === DEFAULT_REGISTRY || URL.canParse(`http://${registry}`);
  if (!isHost) fail(text, `${JSON.stringify(registry)} is not a host name`);
  if (/[A-Z]/.test(repository)) fail(text, "the repository has upper-case letters");
  if (repository.replace(/^library\//, "") === "") fail(text, "the repository is missing");
  for (const component of repository.split("/")) {
    if (!COMPONENT.test(component))
      fail(text, `${JSON.stringify(component)} is not a valid part of a repository`);
  }
  if (registry.length + 1 + repository.length > NAME_LENGTH_MAX)
    fail(text, `it is longer than ${NAME_LENGTH_MAX}`);
}

function describe(text: string): string {
  return `Cannot parse image reference ${JSON.stringify(text)}`;
}

function fail(text: string, state: string): never {
  throw new SyntaxError(`${describe(text)}: ${state}`);
}
