/**
 * Platforms: `os/architecture[/variant]`, their many spellings, and which of several suits best. A machine runs its own
 * variant and older ones, some also a 32-bit sibling; {@link platformPreferences} lists these best first, after the
 * rules of containerd's platform package.
 */
import { type JsonObject, stringAt } from "./json.ts";

/** A normalised platform: `variant` is absent where it would say nothing (amd64 v1, arm64 v8). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  i386: ["386"],
  i486: ["386"],
  i586: ["386"],
  i686: ["386"],
  x86: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** Architectures that are enough to name a platform: `--platform arm64`. */
const KNOWN_ARCHITECTURES: readonly string[] = [
  "386",
  "amd64",
  "arm",
  "arm64",
  "loong64",
  "mips64le",
  "ppc64le",
  "riscv64",
  "s390x",
];

/** Variants that mean the same as none. */
const IMPLIED_VARIANTS: Readonly<Record<string, string>> = { amd64: "v1", arm64: "v8" };

const PART = /^[a-zA-Z0-9_.-]{1,64}$/;
const ARM_32_VARIANTS: readonly string[] = ["v7", "v6", "v5"];
/** Armv9.x includes Armv8.(x+5) (Arm Architecture Reference Manual, A1.3). */
const ARM_9_BASE_MINOR = 5;
const MINOR_MAX = 9;

/**
 * Parses `linux/arm64`, `linux/arm/v7`, or an architecture alone, for linux.
 * @throws {SyntaxError} for anything else
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [first = "", architecture, variant] = parts;
  if (parts.length > 3 || !parts.every((part) => PART.test(part))) return fail(text);
  if (architecture !== undefined) return normalisePlatform({ os: first, architecture, variant });
  const alone = normalisePlatform({ os: "linux", architecture: first });
  return KNOWN_ARCHITECTURES.includes(alone.architecture) ? alone : fail(text);
}

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return normalisePlatform({ os: process.platform, architecture: process.arch });
}

/** Brings spellings such as `x86_64`, `aarch64`, `arm64/v8` and `arm` into the one form that is compared. */
export function normalisePlatform(platform: {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}): Platform {
  const os = platform.os.toLowerCase();
  const spelt = platform.architecture.toLowerCase();
  const [architecture, ownVariant] = (Object.hasOwn(ARCHITECTURES, spelt)
    ? ARCHITECTURES[spelt]
    : undefined) ?? [spelt];
  const given = platform.variant?.toLowerCase() || ownVariant || (architecture === "arm" ? "v7" : "");
  const variant = /^[0-9]/.test(given) ? `v${given}` : given;
  const isImplied = variant === "" || variant === IMPLIED_VARIANTS[architecture];
  return { os, architecture, ...(isImplied ? {} : { variant }) };
}

/** `os/architecture[/variant]`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platforms that `wanted` can run, best first, itself at the head. */
export function platformPreferences(wanted: Platform): readonly Platform[] {
  const { os, architecture, variant } = wanted;
  const of = (name: string, variants: readonly (string | undefined)[]): Platform[] =>
    variants.map((each) => normalisePlatform({ os, architecture: name, variant: each }));
  switch (architecture) {
    case "amd64":
      return [...of("amd64", levelsDown(variant ?? "v1")), ...of("386", [undefined])];
    case "arm":
      return of("arm", armVariantsDown(variant ?? "v7"));
    case "arm64":
      return [...of("arm64", arm64VariantsDown(variant ?? "v8")), ...of("arm", ["v8", ...ARM_32_VARIANTS])];
    default:
      return variant === undefined ? [wanted] : [wanted, { os, architecture }];
  }
}

/**
 * The position of the best candidate; the first of equals wins.
 * @returns undefined when none can run on `wanted`
 */
export function choosePlatform(
  wanted: Platform,
  candidates: readonly (Platform | undefined)[],
): number | undefined {
  for (const preferred of platformPreferences(wanted)) {
    const index = candidates.findIndex(
      (candidate) => candidate !== undefined && isSame(candidate, preferred),
    );
    if (index >= 0) return index;
  }
  return undefined;
}

/** The `platform` of an index entry. @throws {SyntaxError} when os or architecture is missing */
export function parsePlatformObject(object: JsonObject, path: string): Platform {
  const variant = object["variant"];
  return normalisePlatform({
    os: stringAt(object["os"], `${path}.os`),
    architecture: stringAt(object["architecture"], `${path}.architecture`),
    variant: variant === undefined || variant === null ? undefined : stringAt(variant, `${path}.variant`),
  });
}

function isSame(one: Platform, other: Platform): boolean {
  return formatPlatform(one) === formatPlatform(other);
}

/** `v3` → v3, v2, v1. */
function levelsDown(variant: string): string[] {
  const level = Number(/^v([1-9])$/.exec(variant)?.[1] ?? Number.NaN);
  if (Number.isNaN(level)) return [variant];
  return Array.from({ length: level }, (_, index) => `v${level - index}`);
}

function armVariantsDown(variant: string): string[] {
  const start = ARM_32_VARIANTS.indexOf(variant);
  return start < 0 ? [variant, ...ARM_32_VARIANTS] : ARM_32_VARIANTS.slice(start);
}

/** `v8.2` → v8.2, v8.1, v8; `v9.1` → v9.1, v9, v8.6 … v8. */
function arm64VariantsDown(variant: string): string[] {
  const match = /^v([89])(?:\.([0-9]))?$/.exec(variant);
  if (match === null) return [variant];
  const minor = Number(match[2] ?? 0);
  const own = minorsDown(`v${match[1]}`, minor);
  return match[1] === "8"
    ? own
    : [...own, ...minorsDown("v8", Math.min(minor + ARM_9_BASE_MINOR, MINOR_MAX))];
}

function minorsDown(major: string, minor: number): string[] {
  return Array.from({ length: minor + 1 }, (_, index) =>
    index === minor ? major : `${major}.${minor - index}`,
  );
}

function fail(text: string): never {
  throw new SyntaxError(`Cannot parse platform ${JSON.stringify(text)}: expected OS/ARCHITECTURE[/VARIANT]`);
}
