/**
 * Requests to a token server and its replies (distribution's "Token Authentication Specification"; OAuth 2, RFC 6749). What
 * is asked for, and what a reply grants: pure.
 */
import { parseJsonObject } from "../oci/json.ts";
import type { KnownChallenge } from "./challenge.ts";
import { basicAuthorization, type Credentials } from "./credentials.ts";

/** Who asks for what. */
export interface TokenQuestion {
  /** May hold several, parted by spaces; empty: none but a proof of who one is. */
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  /** Ask for an identity token as well. */
  readonly offline: boolean;
}

/** What goes over the wire. */
export interface TokenRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body?: string;
}

/** What a token server grants. */
export interface IssuedToken {
  /** Value of an Authorization header. */
  readonly header: string;
  readonly expiresAtMs: number;
  readonly identityToken: string | undefined;
}

type BearerChallenge = Extract<KnownChallenge, { scheme: "bearer" }>;

/** Least lifetime of a token, also the one of a token that names none (Token Authentication Specification). */
export const LIFETIME_S_MIN = 60;
const CLIENT_ID = "bunker";
/** Longest token that fits into a header beside the others: servers refuse more than 8 or 16 KiB. */
const TOKEN_LENGTH_MAX = 16 * 1024;

/** The request by GET, with Basic credentials where there are some. */
export function tokenRequest(
  realm: URL,
  { service }: Pick<BearerChallenge, "service">,
  { scope, credentials, offline }: TokenQuestion,
): TokenRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const each of scope.split(" ")) if (each !== "") url.searchParams.append("scope", each);
  if (offline) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", CLIENT_ID);
  }
  const authorization = credentials === undefined ? undefined : basicAuthorization(credentials);
  if (credentials?.type === "password") url.searchParams.set("account", credentials.username);
  return { method: "GET", url, headers: authorization === undefined ? {} : { Authorization: authorization } };
}

/** Exchange of an identity token (RFC 6749, section 6). */
export function refreshRequest(
  realm: URL,
  { service }: Pick<BearerChallenge, "service">,
  { scope, identityToken }: { readonly scope: string; readonly identityToken: string },
): TokenRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: identityToken,
    client_id: CLIENT_ID,
    ...(scope === "" ? {} : { scope }),
    ...(service === undefined ? {} : { service }),
  });
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: realm, headers, body: form.toString() };
}

/**
 * What to ask for when a challenge names a scope and the request needs another. What the challenge lacks comes first, since
 * some servers grant the first scope alone; for one resource there is one scope with all actions.
 */
export function joinScopes(challenged: string | undefined, wanted: string): string {
  const actions = new Map<string, Set<string>>();
  for (const scope of `${challenged ?? ""} ${wanted}`.split(" ")) {
    if (scope === "") continue;
    const colon = scope.lastIndexOf(":");
    const resource = scope.slice(0, Math.max(colon, 0));
    const known = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(",")) known.add(action);
    actions.set(resource, known);
  }
  return [...actions]
    .map(([resource, set]) => `${resource === "" ? "" : `${resource}:`}${[...set].join()}`)
    .join(" ");
}

/** @throws {SyntaxError} when the body holds no token that can stand in a header */
export function parseToken(body: Uint8Array, nowMs = Date.now()): IssuedToken {
  const reply = parseJsonObject(body, "token reply");
  // Some give both names, and nothing under one of them.
  const token = reply["token"] || reply["access_token"];
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))
    throw new SyntaxError("Cannot read token: it is missing");
  if (token.length > TOKEN_LENGTH_MAX)
    throw new RangeError(`Cannot use token: it has more than ${TOKEN_LENGTH_MAX} characters`);
  const lifetime = Number(reply["expires_in"] ?? LIFETIME_S_MIN);
  const lifetimeS = Number.isFinite(lifetime) ? Math.max(lifetime, LIFETIME_S_MIN) : LIFETIME_S_MIN;
  const identityToken = reply["refresh_token"];
  return {
    header: `Bearer ${token}`,
    expiresAtMs: nowMs + lifetimeS * 1000,
    identityToken: typeof identityToken === "string" && identityToken !== "" ? identityToken : undefined,
  };
}
