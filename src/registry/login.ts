/** Asks a registry whether it knows credentials, before anybody keeps them (distribution-spec, spec.md#api-versions). */
import { chooseChallenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import { endpointsOf } from "./endpoint.ts";
import { DEFAULT_TIMEOUTS, type Exchange, type Timeouts } from "./exchange.ts";
import { sendRepeatedly } from "./follow.ts";
import type { RegistriesConfig } from "./registries_config.ts";
import { RegistryError } from "./registry_error.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "./retry.ts";
import { Access, type AccessSettings } from "./token.ts";

/** Where the registry is, and how patiently it is asked. */
export interface LoginOptions {
  readonly registries?: RegistriesConfig;
  readonly retry?: Partial<RetryPolicy>;
  readonly timeouts?: Partial<Timeouts>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tries credentials at the registry itself, not at its mirrors. A registry that is open to all takes any.
 * @returns what is to be kept: an identity token where the registry gives one for the password
 * @throws {RegistryError} REGISTRY_UNAUTHORIZED when they are refused, and as for every request
 */
export async function logIn(
  registry: string,
  credentials: Credentials,
  options: LoginOptions = {},
): Promise<Credentials> {
  const endpoint = endpointsOf(registry, options.registries).at(-1);
  if (endpoint === undefined) throw new RangeError("Cannot log in: there is no endpoint");
  const settings: AccessSettings = {
    endpoint,
    credentials,
    retry: { ...DEFAULT_RETRY, ...options.retry },
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
  };
  const access = new Access(settings, { offline: true });
  const first = await ping(settings, undefined, options.signal);
  const challenge = challengeOf(first, endpoint.baseUrl);
  const authorization =
    challenge === undefined
      ? undefined
      : await access.renew(challenge, { scope: "", refused: undefined, signal: options.signal });
  const last = authorization === undefined ? first : await ping(settings, authorization, options.signal);
  if (last !== first) await first.discard();
  await last.discard();
  if (last.status !== 200) throw refused(registry, last.status);
  const { identityToken } = access;
  return identityToken === undefined ? credentials : { type: "identity", identityToken };
}

function ping(
  { endpoint, retry, timeouts }: AccessSettings,
  authorization: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Exchange> {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  const url = new URL(`${endpoint.baseUrl}/v2/`);
  return sendRepeatedly({ method: "GET", url, headers, kind: "api", retry, timeouts, signal });
}

/** A challenge from where a redirect led is never answered. */
function challengeOf(exchange: Exchange, baseUrl: string): ReturnType<typeof chooseChallenge> {
  if (exchange.status !== 401 || exchange.url.origin !== new URL(baseUrl).origin) return undefined;
  return chooseChallenge(parseChallenges(exchange.header("www-authenticate") ?? ""));
}

function refused(registry: string, status: number): RegistryError {
  if (status === 401 || status === 403) {
    return new RegistryError(`Cannot log in to "${registry}": the credentials are refused`, {
      code: "REGISTRY_UNAUTHORIZED",
      status,
      hint: "Check the user and the password or token.",
    });
  }
  return new RegistryError(`Cannot log in to "${registry}": it replies with status ${status} to /v2/`, {
    code: status === 429 ? "REGISTRY_RATE_LIMITED" : "REGISTRY_FAILED",
    status,
    hint: "Check the name: it may be no registry.",
  });
}
