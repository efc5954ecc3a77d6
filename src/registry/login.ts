/** Asks a registry whether it knows credentials, before anybody keeps them (distribution-spec, spec.md#api-versions). */
import { chooseChallenge, parseChallenges } from "./challenge.ts";
import { accessSettings, type RegistryClientOptions } from "./client.ts";
import type { Credentials } from "./credentials.ts";
import { endpointsOf } from "./endpoint.ts";
import type { Exchange } from "./exchange.ts";
import { sendRepeatedly } from "./follow.ts";
import { RegistryError } from "./registry_error.ts";
import { looksLikeOther, settleEndpoint } from "./scheme.ts";
import { Access, type AccessSettings } from "./token.ts";

/** Where the registry is, and how patiently it is asked. */
export interface LoginOptions extends Omit<RegistryClientOptions, "credentials" | "onWarning"> {
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
  const { registries, certificates, signal } = options;
  const guess = endpointsOf(registry, registries, certificates?.hosts).at(-1);
  if (guess === undefined) throw new RangeError("Cannot log in: there is no endpoint");
  const { settings, first } = await firstPing({ ...accessSettings(guess, options), credentials }, options);
  const access = new Access(settings, { offline: true });
  const challenge = challengeOf(first, settings);
  const authorization =
    challenge === undefined
      ? undefined
      : await access.renew(challenge, { scope: "", refused: undefined, signal });
  const last = authorization === undefined ? first : await ping(settings, authorization, { signal });
  if (last !== first) await first.discard();
  await last.discard();
  if (last.status !== 200) throw refused(registry, last.status);
  const { identityToken } = access;
  return identityToken === undefined ? credentials : { type: "identity", identityToken };
}

/** Pings without credentials, by the other protocol where the first guess was wrong. */
async function firstPing(
  guess: AccessSettings,
  { signal, findAuthorities }: LoginOptions,
): Promise<{ readonly settings: AccessSettings; readonly first: Exchange }> {
  const isFinal = (outcome: Exchange | RegistryError): boolean => looksLikeOther(guess.endpoint, outcome);
  try {
    const first = await ping(guess, undefined, { signal, isFinal });
    if (!isFinal(first)) return { settings: guess, first };
    await first.discard();
  } catch (error) {
    if (!(error instanceof RegistryError) || !isFinal(error)) throw error;
  }
  const settings = { ...guess, ...(await settleEndpoint(guess, { signal, findAuthorities })) };
  return { settings, first: await ping(settings, undefined, { signal }) };
}

function ping(
  { endpoint, retry, timeouts, trust }: AccessSettings,
  authorization: string | undefined,
  more: Pick<Parameters<typeof sendRepeatedly>[0], "signal" | "isFinal">,
): Promise<Exchange> {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  const url = new URL(`${endpoint.baseUrl}/v2/`);
  return sendRepeatedly({ method: "GET", url, headers, kind: "api", retry, timeouts, trust, ...more });
}

/** A challenge from where a redirect led is never answered. */
function challengeOf(
  exchange: Exchange,
  { endpoint, credentials }: AccessSettings,
): ReturnType<typeof chooseChallenge> {
  if (exchange.status !== 401 || exchange.url.origin !== new URL(endpoint.baseUrl).origin) return undefined;
  const hasPassword = credentials?.type === "password";
  return chooseChallenge(parseChallenges(exchange.header("www-authenticate") ?? ""), hasPassword);
}

function refused(registry: string, status: number): RegistryError {
  if (status === 401 || status === 403) {
    return new RegistryError(`Cannot log in to "${registry}": the credentials are refused`, {
      code: "REGISTRY_UNAUTHORIZED",
      status,
      hint: "Check the user and the password or token",
    });
  }
  return new RegistryError(`Cannot log in to "${registry}": it replies with status ${status} to /v2/`, {
    code: status === 429 ? "REGISTRY_RATE_LIMITED" : "REGISTRY_FAILED",
    status,
    hint: "Check the name: it may be no registry",
  });
}
