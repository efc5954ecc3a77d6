/**
 * Authorised requests to one endpoint: sends with what is known, answers a challenge once, and hands on whatever reply
 * comes then. A challenge from another origin, where a redirect led, is never answered.
 */
import { chooseChallenge, parseChallenges } from "./challenge.ts";
import { contentUrl, type Endpoint } from "./endpoint.ts";
import type { Exchange, HttpRequest } from "./exchange.ts";
import { sendRepeatedly } from "./follow.ts";
import type { RegistryError } from "./registry_error.ts";
import { type Asked, statusError } from "./status_error.ts";
import { Access, type AccessSettings } from "./token.ts";

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
  /** Leave a failure to the caller, who knows how to go on [false]. */
  readonly once?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** For messages, e.g. `image "docker.io/library/alpine:latest"`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** A conversation with one endpoint. */
export class Session {
  readonly endpoint: Endpoint;
  readonly #settings: AccessSettings;
  readonly #access: Access;

  constructor(settings: AccessSettings) {
    this.endpoint = settings.endpoint;
    this.#settings = settings;
    this.#access = new Access(settings);
  }

  /** Takes over an Authorization for a repository from another session. */
  seed(repository: string, header: string): void {
    this.#access.seed(pullScope(repository), header);
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
    const scope = request.scope ?? pullScope(request.repository);
    const header = await this.#access.header(scope, request.signal);
    const exchange = await this.#send(request, header);
    if (exchange.status !== 401 || exchange.url.origin !== new URL(this.endpoint.baseUrl).origin)
      return exchange;
    const challenge = chooseChallenge(parseChallenges(exchange.header("www-authenticate") ?? ""));
    if (challenge === undefined) return exchange;
    const renewed = await this.#access.renew(challenge, { scope, refused: header, signal: request.signal });
    if (renewed === undefined) return exchange;
    await exchange.discard();
    return this.#send(request, renewed);
  }

  /** The error that a reply without success stands for. */
  async errorOf(exchange: Exchange, what: string, verb: Asked["verb"] = "pull"): Promise<RegistryError> {
    return statusError(exchange, { ...this.#asked(what), verb });
  }

  async #send(request: ContentRequest, authorization: string | undefined): Promise<Exchange> {
    const { retry, timeouts } = this.#settings;
    const url = request.target ?? contentUrl(this.endpoint, request);
    // An upload may lie with another host, which must not see a token.
    const isOwn = url.origin === new URL(this.endpoint.baseUrl).origin;
    return sendRepeatedly({
      method: request.method ?? "GET",
      url,
      headers: {
        ...request.headers,
        ...(authorization === undefined || !isOwn ? {} : { Authorization: authorization }),
      },
      body: request.body,
      kind: request.kind === "blobs" ? "blob" : "api",
      retry: request.once === true ? { ...retry, attemptCountMax: 1 } : retry,
      timeouts,
      signal: request.signal,
    });
  }

  #asked(what: string): Omit<Asked, "verb"> {
    return { what, registry: this.endpoint.name, hasCredentials: this.#settings.credentials !== undefined };
  }
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}
