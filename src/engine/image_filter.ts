/** `--filter` of commands about images, as docker has it: equal names are alternatives, different ones all have to hold. */
import { UsageError } from "../errors.ts";
import { goPattern } from "./go_pattern.ts";
import type { ImageSummary } from "./summary.ts";

/** True when an image is wanted; `all` are those among which `before` and `since` name one. */
export type ImageFilter = (image: ImageSummary, all: readonly ImageSummary[]) => boolean;

/** Names of filters. */
export const IMAGE_FILTERS = [
  "before",
  "dangling",
  "label",
  "label!",
  "reference",
  "since",
  "until",
] as const;

type FilterName = (typeof IMAGE_FILTERS)[number];

/**
 * Parses `NAME=VALUE` filters.
 * @param allowed the names that the command has
 * @throws {UsageError} for another name, or a value that is none
 */
export function parseImageFilters(
  texts: readonly string[],
  allowed: readonly FilterName[] = IMAGE_FILTERS,
): ImageFilter {
  const groups = new Map<FilterName, ImageFilter[]>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const [written, value] = equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
    const name = allowed.find((each) => each === written);
    if (name === undefined || equals < 0) {
      throw new UsageError(`Cannot filter by "${text}": expected NAME=VALUE with ${allowed.join(", ")}`);
    }
    groups.set(name, [...(groups.get(name) ?? []), makers[name](value)]);
  }
  const every: readonly FilterName[] = ["label", "label!"];
  return (image, all) =>
    [...groups].every(([name, filters]) =>
      every.includes(name)
        ? filters.every((filter) => filter(image, all))
        : filters.some((filter) => filter(image, all)),
    );
}

const makers: Readonly<Record<FilterName, (value: string) => ImageFilter>> = {
  before: (value) => {
    return (image, all) => timeOf(image) < timeOf(named(value, all));
  },
  since: (value) => {
    return (image, all) => timeOf(image) > timeOf(named(value, all));
  },
  dangling: (value) => {
    const wanted = parseTruth(value);
    return ({ dangling }) => dangling === wanted;
  },
  label: (value) => (image) => hasLabel(image, value),
  "label!": (value) => (image) => !hasLabel(image, value),
  reference: (value) => {
    const matches = goPattern(value);
    // As docker has it: the name with its tag or digest, and the name alone.
    return ({ repository, tag, digest }) =>
      matches(repository) || matches(tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`);
  },
  until: (value) => {
    const end = parseTime(value);
    return (image) => timeOf(image) < end;
  },
};

function hasLabel({ labels }: ImageSummary, text: string): boolean {
  const equals = text.indexOf("=");
  if (equals < 0) return Object.hasOwn(labels, text);
  const key = text.slice(0, equals);
  return Object.hasOwn(labels, key) && labels[key] === text.slice(equals + 1);
}

/** Milliseconds; an image that does not say when it was built is as old as can be. */
const timeOf = (image: ImageSummary): number => image.created?.getTime() ?? 0;

function named(text: string, all: readonly ImageSummary[]): ImageSummary {
  const byId = all.find(({ id }) => id.replace("sha256:", "").startsWith(text.replace("sha256:", "")));
  const found = all.find((image) => isNamed(image, text)) ?? byId;
  if (found === undefined) throw new UsageError(`Cannot filter by image "${text}": it is not here`);
  return found;
}

function isNamed({ repository, tag, digest }: ImageSummary, text: string): boolean {
  if (text === `${repository}@${digest}`) return true;
  return text === `${repository}:${tag}` || (text === repository && tag === "latest");
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, or how long ago: `2026-01-02`, seconds since 1970, `24h`, `1h30m`. */
function parseTime(text: string): number {
  if (/^(?:\d+(?:\.\d+)?[smhd])+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smhd])/g)];
    return (
      Date.now() - parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS_MS[unit] ?? 0), 0)
    );
  }
  const time = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : new Date(text).getTime();
  if (Number.isNaN(time)) {
    throw new UsageError(`Cannot read time "${text}": expected a date, seconds since 1970, or e.g. 24h`);
  }
  return time;
}

function parseTruth(text: string): boolean {
  if (["1", "t", "true"].includes(text.toLowerCase())) return true;
  if (["0", "f", "false"].includes(text.toLowerCase())) return false;
  throw new UsageError(`Cannot filter by dangling="${text}": expected true or false`);
}
