/**
 * Finds out which protocol an endpoint speaks when nobody has said it (endpoint.ts). The first request is the question: most
 * often the first guess is right, and costs nothing.
 */
import type { Endpoint } from "./endpoint.ts";
import { Exchange, send } from "./exchange.ts";
import { isClosed, isNoTls, isUnknownAuthority } from "./network_error.ts";
import { RegistryError } from "./registry_error.ts";
import type { AccessSettings } from "./token.ts";
import { DEFAULT_TRUST } from "./trust.ts";

/** What a server of TLS says to plain HTTP, when it says anything. */
const BAD_REQUEST = 400;

/** True for an outcome that looks as if the other protocol were spoken there. */
export function looksLikeOther({ baseUrl, otherUrl }: Endpoint, outcome: Exchange | RegistryError): boolean {
  if (otherUrl === undefined) return false;
  if (baseUrl.startsWith("https:")) return isNoTls(outcome);
  return outcome instanceof Exchange ? outcome.status === BAD_REQUEST : isClosed(outcome);
}

/** The endpoint as it is. */
export function withoutDoubt({ otherUrl: _, ...endpoint }: Endpoint): Endpoint {
  return endpoint;
}

/** What is known afterwards. */
export type Settled = Pick<AccessSettings, "endpoint" | "trust">;

/** Reads the authorities of the system. */
export type FindAuthorities = (() => Promise<readonly string[]>) | undefined;

/**
 * Asks whether the other protocol is spoken.
 * @returns the endpoint to go on with: another one, or the same without a doubt
 * @throws {RegistryError} REGISTRY_TLS when TLS is spoken, but with a certificate that is refused: that is no reason to do
 * without
 */
export async function settleEndpoint(
  settings: AccessSettings,
  { signal, findAuthorities }: { signal?: AbortSignal | undefined; findAuthorities?: FindAuthorities } = {},
): Promise<Settled> {
  const { otherUrl } = settings.endpoint;
  const endpoint = withoutDoubt(settings.endpoint);
  if (otherUrl === undefined) return { endpoint };
  const other = { ...endpoint, baseUrl: otherUrl };
  try {
    await ping(settings, otherUrl, signal);
    return { endpoint: other };
  } catch (error) {
    if (!(error instanceof RegistryError) || (error.code === "REGISTRY_TLS" && !isNoTls(error))) {
      if (!isUnknownAuthority(error) || findAuthorities === undefined) throw error;
      const trust = { ...(settings.trust ?? DEFAULT_TRUST), system: await findAuthorities() };
      await ping({ ...settings, trust }, otherUrl, signal);
      return { endpoint: other, trust };
    }
    return { endpoint };
  }
}

async function ping(
  { timeouts, trust }: AccessSettings,
  baseUrl: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const url = new URL(`${baseUrl}/v2/`);
  const exchange = await send({ method: "GET", url, headers: {}, kind: "api", timeouts, trust, signal });
  await exchange.discard();
}
