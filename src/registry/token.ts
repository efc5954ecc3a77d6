/**
 * Access to one endpoint: answers its challenges with Basic credentials or a bearer token, and keeps the tokens. Docker
 * Hub gives tokens to anyone for public images (distribution's "Token Authentication Specification"). Requests for one
 * scope share one token request; a token is used until shortly before it expires, or until it is refused.
 */
import { isConfidential, mayAuthenticateAt } from "./address.ts";
import type { KnownChallenge } from "./challenge.ts";
import { basicAuthorization, type Credentials, TOKEN_USER } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Exchange, Timeouts } from "./exchange.ts";
import { readWhole, sendRepeatedly } from "./follow.ts";
import { quoteForeign, RegistryError, urlForMessages } from "./registry_error.ts";
import { parseRetryAfter, type RetryPolicy } from "./retry.ts";
import {
  type IssuedToken,
  joinScopes,
  LIFETIME_S_MIN,
  parseToken,
  refreshRequest,
  type TokenRequest,
  tokenRequest,
} from "./token_request.ts";
import type { Trust } from "./trust.ts";

type BearerChallenge = Extract<KnownChallenge, { scheme: "bearer" }>;

/** How requests to an endpoint are made; plain data, so that it can be handed to a Worker. */
export interface AccessSettings {
  readonly endpoint: Endpoint;
  readonly credentials?: Credentials | undefined;
  readonly retry: RetryPolicy;
  readonly timeouts: Timeouts;
  readonly trust?: Trust | undefined;
  /** Who is to be asked for a token when one is refused [nobody: it is asked for here]. */
  readonly owner?: string | undefined;
}

type CachedToken = Pick<IssuedToken, "header" | "expiresAtMs">;

const TOKEN_BODY_BYTES_MAX = 1024 * 1024;
/** A token is not used any more when this little is left of it: the request takes time, too. */
const MARGIN_MS = 10_000;
/** Statuses of a token server that knows no POST: it is asked by GET then. */
const NO_POST_STATUSES: readonly number[] = [404, 405];

interface Refreshing {
  readonly challenge: BearerChallenge;
  readonly credentials: Extract<Credentials, { type: "identity" }>;
  readonly scope: string;
}

/** What is asked for besides access. */
export interface AccessOptions {
  /** Ask the token server for an identity token, which may be kept in the password's place [false]. */
  readonly offline?: boolean;
}

/** Keeps the way into one endpoint. */
export class Access {
  readonly #settings: AccessSettings;
  readonly #offline: boolean;
  #identityToken: string | undefined;
  readonly #tokens = new Map<string, CachedToken>();
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: KnownChallenge | undefined;

  constructor(settings: AccessSettings, { offline = false }: AccessOptions = {}) {
    this.#settings = settings;
    this.#offline = offline;
  }

  /** What the token server gave to be kept; only with `offline`. */
  get identityToken(): string | undefined {
    return this.#identityToken;
  }

  /** Takes over a header that another instance obtained. */
  seed(scope: string, header: string): void {
    this.#tokens.set(scope, { header, expiresAtMs: Date.now() + LIFETIME_S_MIN * 1000 });
  }

  /**
   * The Authorization for a request, as far as it is known without being challenged.
   * @param scope e.g. `repository:library/alpine:pull`
   * @returns undefined when nothing is known yet or needed
   */
  async header(scope: string, signal?: AbortSignal): Promise<string | undefined> {
    const cached = this.#tokens.get(scope);
    if (cached !== undefined && cached.expiresAtMs - MARGIN_MS > Date.now()) return cached.header;
    if (this.#challenge === undefined) return undefined;
    return this.#answer(this.#challenge, scope, signal);
  }

  /**
   * The Authorization that answers a challenge.
   * @param refused the header that was refused just now
   * @returns undefined when there is none that was not refused already
   * @throws {RegistryError} when the token server refuses or cannot be reached
   */
  async renew(
    challenge: KnownChallenge,
    request: {
      readonly scope: string;
      readonly refused: string | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<string | undefined> {
    // The scope of this challenge is that of this request alone.
    this.#challenge = challenge.scheme === "bearer" ? { ...challenge, scope: undefined } : challenge;
    const cached = this.#tokens.get(request.scope);
    if (cached?.header === request.refused) this.#tokens.delete(request.scope);
    // Another request may have renewed it while this one was on its way.
    else if (cached !== undefined) return cached.header;
    const header = await this.#answer(challenge, request.scope, request.signal);
    return header === request.refused ? undefined : header;
  }

  async #answer(challenge: KnownChallenge, scope: string, signal?: AbortSignal): Promise<string | undefined> {
    if (challenge.scheme === "basic") return this.#basicHeader();
    const pending = this.#pending.get(scope);
    if (pending !== undefined) return pending;
    const fetching = this.#fetchToken(challenge, scope, signal).finally(() => this.#pending.delete(scope));
    this.#pending.set(scope, fetching);
    return fetching;
  }

  #basicHeader(): string | undefined {
    const { endpoint, credentials } = this.#settings;
    if (credentials === undefined) return undefined;
    if (!isConfidential(new URL(endpoint.baseUrl))) throw insecure(endpoint.name);
    return basicAuthorization(credentials);
  }

  async #fetchToken(challenge: BearerChallenge, scope: string, signal?: AbortSignal): Promise<string> {
    const realm = this.#checkedRealm(challenge.realm);
    const { credentials } = this.#settings;
    const asked = joinScopes(challenge.scope, scope);
    const question = { scope: asked, credentials, offline: this.#offline };
    const { exchange, bytes } = await readWhole({
      send: () =>
        credentials?.type === "identity"
          ? this.#refresh(realm, { challenge, credentials, scope: asked }, signal)
          : this.#ask(tokenRequest(realm, challenge, question), signal),
      bytesMax: TOKEN_BODY_BYTES_MAX,
      retry: this.#settings.retry,
      signal,
    });
    const token = await this.#readToken(exchange, bytes);
    this.#tokens.set(scope, token);
    return token.header;
  }

  /** By POST, and where the server knows none by GET, with the identity token in the password's place. */
  async #refresh(
    realm: URL,
    { challenge, credentials, scope }: Refreshing,
    signal?: AbortSignal,
  ): Promise<Exchange> {
    const { identityToken, username = TOKEN_USER } = credentials;
    const exchange = await this.#ask(refreshRequest(realm, challenge, { scope, identityToken }), signal);
    if (!NO_POST_STATUSES.includes(exchange.status)) return exchange;
    await exchange.discard();
    const basic = { type: "password", username, password: identityToken } as const;
    return this.#ask(tokenRequest(realm, challenge, { scope, credentials: basic, offline: false }), signal);
  }

  /** Wherever the request is redirected to, the rules are those of a realm. */
  #ask(request: TokenRequest, signal?: AbortSignal): Promise<Exchange> {
    const { endpoint, retry, timeouts, trust } = this.#settings;
    const base = new URL(endpoint.baseUrl);
    const mayRedirect = (_: URL, target: URL): boolean => mayAuthenticateAt(base, target);
    return sendRepeatedly({ ...request, kind: "api", retry, timeouts, trust, signal, mayRedirect });
  }

  /** The realm is the registry's choice, thus an attacker's: it must not be a way to other services or plain text. */
  #checkedRealm(text: string): URL {
    const { endpoint, credentials } = this.#settings;
    const realm = URL.parse(text);
    if (realm === null || !mayAuthenticateAt(new URL(endpoint.baseUrl), realm)) {
      throw new RegistryError(
        `Cannot log in to "${endpoint.name}": its token server ${quoteForeign(text)} is not allowed`,
        {
          code: "REGISTRY_PROTOCOL",
        },
      );
    }
    if (credentials !== undefined && !isConfidential(realm)) throw insecure(endpoint.name);
    realm.username = "";
    realm.password = "";
    return realm;
  }

  async #readToken(exchange: Exchange, body: Uint8Array | undefined): Promise<IssuedToken> {
    const { endpoint, credentials } = this.#settings;
    if (body === undefined) {
      await exchange.discard();
      throw refused(endpoint.name, exchange, credentials !== undefined);
    }
    try {
      const token = parseToken(body);
      if (this.#offline) this.#identityToken = token.identityToken;
      return token;
    } catch (cause) {
      throw new RegistryError(
        `Cannot log in to "${endpoint.name}": its token server's reply makes no sense`,
        {
          code: "REGISTRY_PROTOCOL",
          cause,
        },
      );
    }
  }
}

function insecure(name: string): RegistryError {
  return new RegistryError(`Cannot log in to "${name}": it would send the password unencrypted`, {
    code: "REGISTRY_PROTOCOL",
    hint: 'Use TLS: set "tls": true for it under "registries" in the configuration',
  });
}

function refused(name: string, exchange: Exchange, hasCredentials: boolean): RegistryError {
  const { status } = exchange;
  const isRefusal = status === 401 || status === 403;
  const state =
    isRefusal && hasCredentials ? "the credentials are refused" : `its token server replies ${status}`;
  return new RegistryError(`Cannot log in to "${name}": ${state} (${urlForMessages(exchange.url)})`, {
    code: tokenErrorCode(status),
    status,
    retryable: status === 429 || status >= 500,
    retryAfterMs: parseRetryAfter(exchange.header("retry-after")),
    ...hintFor(status),
  });
}

function hintFor(status: number): { readonly hint?: string } {
  if (status === 401 || status === 403)
    return { hint: "Check the user and the password or token, and log in anew: bunker login" };
  if (status === 429)
    return { hint: 'Try again later, or name a mirror under "mirrors" in the configuration' };
  return {};
}

function tokenErrorCode(
  status: number,
): "REGISTRY_RATE_LIMITED" | "REGISTRY_UNAUTHORIZED" | "REGISTRY_FAILED" {
  if (status === 429) return "REGISTRY_RATE_LIMITED";
  return status === 401 || status === 403 ? "REGISTRY_UNAUTHORIZED" : "REGISTRY_FAILED";
}
