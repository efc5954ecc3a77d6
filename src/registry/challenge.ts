/**
 * The WWW-Authenticate header (RFC 9110, section 11.6.1): one or several challenges, each a scheme with parameters or a
 * token68, separated by the same commas that separate parameters.
 */

/** One challenge; scheme and parameter names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** A challenge that bunker can answer. */
export type KnownChallenge =
  | { readonly scheme: "basic" }
  | {
      readonly scheme: "bearer";
      readonly realm: string;
      readonly service: string | undefined;
      readonly scope: string | undefined;
      /** `insufficient_scope`, `invalid_token` (RFC 6750, section 3.1). */
      readonly error: string | undefined;
    };

const HEADER_LENGTH_MAX = 8192;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(
  `[ \\t,]*(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))[ \\t]*(?=,|$)`,
  "y",
);
const SCHEME = new RegExp(`[ \\t,]*(${TOKEN})(?:[ \\t]+|(?=,|$))`, "y");
const TOKEN_68 = /[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y;

/**
 * Parses all challenges of a header; several headers are joined by commas first.
 * @returns those before the first byte that does not parse
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, HEADER_LENGTH_MAX);
  const challenges: Challenge[] = [];
  let offset = 0;
  for (;;) {
    const scheme = matchAt(SCHEME, text, offset);
    if (scheme === undefined) return challenges;
    const { parameters, end } = parseParameters(text, scheme.end);
    challenges.push({ scheme: scheme.groups[1]?.toLowerCase() ?? "", parameters });
    offset = end;
  }
}

/**
 * The first challenge that can be answered: Bearer with a realm, or Basic.
 * @param hasPassword whether Basic can be; anyone may ask for a bearer token
 */
export function chooseChallenge(
  challenges: readonly Challenge[],
  hasPassword: boolean,
): KnownChallenge | undefined {
  for (const { scheme, parameters } of challenges) {
    const realm = parameters["realm"];
    if (scheme === "basic" && hasPassword) return { scheme };
    if (scheme === "bearer" && realm !== undefined) {
      const { service, scope, error } = parameters;
      return { scheme, realm, service, scope, error };
    }
  }
  return undefined;
}

function parseParameters(text: string, start: number): { parameters: Record<string, string>; end: number } {
  const parameters: Record<string, string> = {};
  let offset = start;
  for (;;) {
    const parameter = matchAt(PARAMETER, text, offset);
    if (parameter === undefined) break;
    const [, name = "", quoted, bare] = parameter.groups;
    parameters[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? bare ?? "";
    offset = parameter.end;
  }
  if (offset > start) return { parameters, end: offset };
  return { parameters, end: matchAt(TOKEN_68, text, start)?.end ?? start };
}

function matchAt(
  pattern: RegExp,
  text: string,
  offset: number,
): { groups: RegExpExecArray; end: number } | undefined {
  pattern.lastIndex = offset;
  const groups = pattern.exec(text);
  return groups === null ? undefined : { groups, end: offset + groups[0].length };
}
