/**
 * Authorised requests to one endpoint: sends with what is known, answers a challenge once, and hands on whatever reply
 * comes then. A challenge from another origin, where a redirect led, is answered without any credentials, if at all.
 */
import { chooseChallenge, type KnownChallenge, parseChallenges } from "./challenge.ts";
import { contentUrl, type Endpoint } from "./endpoint.ts";
import type { Exchange, HttpRequest } from "./exchange.ts";
import { type RepeatableRequest, sendRepeatedly } from "./follow.ts";
import type { Notices } from "./notices.ts";
import { RegistryError } from "./registry_error.ts";
import {
  type FindAuthorities,
  looksLikeOther,
  type Settled,
  settleEndpoint,
  withoutDoubt,
} from "./scheme.ts";
import { type Asked, statusError } from "./status_error.ts";
import { Access, type AccessSettings } from "./token.ts";
import { askOwner, type TokenQuestion } from "./token_relay.ts";

/** What is wanted from a repository. */
export interface ContentRequest {
  readonly repository: string;
  readonly kind: "manifests" | "blobs";
  /** Tag or digest. */
  readonly name: string;
  readonly method?: HttpRequest["method"];
  /** Where the registry wants an upload, instead of the place that the fields above name. */
  readonly target?: URL;
  readonly body?: HttpRequest["body"];
  /** [to pull from the repository] */
  readonly scope?: string;
  /** Neither send nor ask for any authorisation [false]. */
  readonly isAnonymous?: boolean;
  /** Leave a failure to the caller, who knows how to go on [false]. */
  readonly once?: boolean;
  /** The registry may need a while before it can answer: it ends an upload [false]. */
  readonly commits?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** For messages, e.g. `image "docker.io/library/alpine:latest"`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** Who takes part in a conversation. */
export interface SessionOptions {
  /** Hears what replies say besides their content. */
  readonly notices?: Notices;
  readonly findAuthorities?: FindAuthorities;
}

/** A conversation with one endpoint. */
export class Session {
  readonly #notices: Notices | undefined;
  readonly #findAuthorities: FindAuthorities;
  #settings: AccessSettings;
  #access: Access;
  /** Access without credentials to other origins that redirects led to. */
  readonly #strangers = new Map<string, Access>();

  constructor(settings: AccessSettings, { notices, findAuthorities }: SessionOptions = {}) {
    this.#settings = settings;
    this.#access = new Access(settings);
    this.#notices = notices;
    this.#findAuthorities = findAuthorities;
  }

  /** As far as it is known: the first request may find out that it speaks the other protocol. */
  get settings(): AccessSettings {
    return this.#settings;
  }

  get endpoint(): Endpoint {
    return this.#settings.endpoint;
  }

  /** Takes over an Authorization for a repository from another session. */
  seed(repository: string, header: string): void {
    this.#access.seed(pullScope(repository), header);
  }

  /** As a challenge wants it, for somebody else who was refused: see {@link askOwner}. */
  renew({ challenge, scope, refused }: TokenQuestion): Promise<string | undefined> {
    return this.#access.renew(challenge, { scope, refused });
  }

  /** The Authorization for a repository, as far as it is known. */
  async authorization(repository: string): Promise<string | undefined> {
    return this.#access.header(pullScope(repository));
  }

  /**
   * Sends a request, with authorisation where the endpoint wants it.
   * @returns the reply, whatever its status
   * @throws {RegistryError} when no reply comes or no token can be had
   */
  async request(request: ContentRequest): Promise<Exchange> {
    const exchange = await this.#authorised(request);
    this.#notices?.read(exchange, this.endpoint.name);
    return exchange;
  }

  /** The error that a reply without success stands for. */
  async errorOf(exchange: Exchange, what: string, verb: Asked["verb"] = "pull"): Promise<RegistryError> {
    return statusError(exchange, { ...this.#asked(what), verb });
  }

  async #authorised(request: ContentRequest): Promise<Exchange> {
    if (request.isAnonymous === true) return this.#send(request, undefined);
    const scope = request.scope ?? pullScope(request.repository);
    const header = await this.#access.header(scope, request.signal);
    const first = await this.#sendSettling(request, header);
    const exchange = await this.#answered(request, first, { scope, refused: header });
    return this.#isOwn(exchange.url) ? exchange : this.#asStranger(request, exchange);
  }

  /** The reply after a challenge of the endpoint itself has been answered; the same where there is none. */
  async #answered(
    request: ContentRequest,
    reply: Exchange,
    { scope, refused }: { readonly scope: string; readonly refused: string | undefined },
  ): Promise<Exchange> {
    if (!this.#isOwn(reply.url)) return reply;
    const challenge = challengeIn(reply, this.#settings.credentials?.type === "password");
    if (challenge === undefined) return reply;
    const renewed = await this.#renew(challenge, { scope, refused, signal: request.signal });
    if (renewed === undefined) return reply;
    await reply.discard();
    return this.#send(request, renewed);
  }

  /** From the client that this conversation came from, so that all threads share one token; else by ourselves. */
  async #renew(
    challenge: KnownChallenge,
    request: Parameters<Access["renew"]>[1],
  ): Promise<string | undefined> {
    const { owner, timeouts, endpoint } = this.#settings;
    if (owner === undefined || challenge.scheme === "basic") return this.#access.renew(challenge, request);
    const { scope, refused } = request;
    const question = { owner, endpoint: endpoint.baseUrl, challenge, scope, refused };
    const header = await askOwner(question, timeouts.responseMs);
    if (header === undefined || header === refused) return this.#access.renew(challenge, request);
    this.#access.seed(scope, header);
    return header;
  }

  /**
   * Answers another origin: a bearer token that anyone gets, under the rules that hold for a registry there. Only for
   * reading; credentials never go along.
   */
  async #asStranger(request: ContentRequest, refused: Exchange): Promise<Exchange> {
    const isReading = request.method === undefined || request.method === "GET" || request.method === "HEAD";
    const challenge = isReading ? challengeIn(refused, false) : undefined;
    if (challenge?.scheme !== "bearer") return refused;
    const { host, origin } = refused.url;
    const access =
      this.#strangers.get(origin) ?? new Access(this.#strangerSettings({ name: host, baseUrl: origin }));
    this.#strangers.set(origin, access);
    const scope = challenge.scope ?? pullScope(request.repository);
    const { signal } = request;
    const send = (header: string): Promise<Exchange> =>
      sendRepeatedly({ ...this.#plain(request), url: refused.url, headers: withToken(request, header) });
    const known = await access.header(scope, signal);
    const header = known ?? (await access.renew(challenge, { scope, refused: undefined, signal }));
    if (header === undefined) return refused;
    await refused.discard();
    const reply = await send(header);
    if (known === undefined || reply.status !== 401) return reply;
    // What was kept from an earlier request may be worth nothing any more.
    const renewed = await access.renew(challenge, { scope, refused: known, signal });
    if (renewed === undefined) return reply;
    await reply.discard();
    return send(renewed);
  }

  #strangerSettings(endpoint: Endpoint): AccessSettings {
    return { ...this.#settings, endpoint, credentials: undefined };
  }

  /** The first request to an endpoint whose protocol is a guess finds out. */
  async #sendSettling(request: ContentRequest, authorization: string | undefined): Promise<Exchange> {
    const { endpoint } = this;
    if (endpoint.otherUrl === undefined) return this.#send(request, authorization);
    const isOther = (outcome: Exchange | RegistryError): boolean => looksLikeOther(endpoint, outcome);
    const outcome = await this.#send(request, authorization, isOther).catch(asRegistryError);
    if (!isOther(outcome)) {
      if (outcome instanceof RegistryError) throw outcome;
      this.#settle(endpoint, { endpoint: withoutDoubt(endpoint) });
      return outcome;
    }
    const options = { signal: request.signal, findAuthorities: this.#findAuthorities };
    const settled = await settleEndpoint(this.#settings, options);
    this.#settle(endpoint, settled);
    if (!(outcome instanceof RegistryError)) {
      if (settled.endpoint.baseUrl === endpoint.baseUrl) return outcome;
      await outcome.discard();
    }
    return this.#send(request, undefined);
  }

  #settle(guess: Endpoint, settled: Settled): void {
    // Another request may have settled it meanwhile, and got a token since.
    if (this.endpoint !== guess) return;
    this.#settings = { ...this.#settings, ...settled };
    if (settled.endpoint.baseUrl !== guess.baseUrl) this.#access = new Access(this.#settings);
  }

  async #send(
    request: ContentRequest,
    authorization: string | undefined,
    isFinal?: (outcome: Exchange | RegistryError) => boolean,
  ): Promise<Exchange> {
    const url = request.target ?? contentUrl(this.endpoint, request);
    // An upload may lie with another host, which must not see a token.
    const headers = this.#isOwn(url) ? withToken(request, authorization) : withToken(request, undefined);
    return sendRepeatedly({
      ...this.#plain(request),
      url,
      headers,
      ...(isFinal === undefined ? {} : { isFinal }),
    });
  }

  #plain(request: ContentRequest): Omit<RepeatableRequest, "url" | "headers"> {
    const { retry, timeouts, trust } = this.#settings;
    return {
      method: request.method ?? "GET",
      body: request.body,
      kind: request.kind === "blobs" ? "blob" : "api",
      retry: request.once === true ? { ...retry, attemptCountMax: 1 } : retry,
      timeouts: request.commits === true ? { ...timeouts, responseMs: timeouts.commitMs } : timeouts,
      trust,
      signal: request.signal,
    };
  }

  #isOwn(url: URL): boolean {
    return url.origin === new URL(this.endpoint.baseUrl).origin;
  }

  #asked(what: string): Omit<Asked, "verb"> {
    return { what, registry: this.endpoint.name, hasCredentials: this.#settings.credentials !== undefined };
  }
}

/** What a 401 wants to see, when it can be answered. */
function challengeIn(reply: Exchange, hasPassword: boolean): KnownChallenge | undefined {
  if (reply.status !== 401) return undefined;
  return chooseChallenge(parseChallenges(reply.header("www-authenticate") ?? ""), hasPassword);
}

function withToken({ headers }: ContentRequest, authorization: string | undefined): Record<string, string> {
  return { ...headers, ...(authorization === undefined ? {} : { Authorization: authorization }) };
}

function asRegistryError(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  throw error;
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}
