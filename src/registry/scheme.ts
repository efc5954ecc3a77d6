/**
 * Finds out which protocol an endpoint speaks when nobody has said it (endpoint.ts). The first request is the question: most
 * often the first guess is right, and costs nothing.
 */
import type { Endpoint } from "./endpoint.ts";
import { Exchange, send } from "./exchange.ts";
import { isClosed, isNoTls } from "./network_error.ts";
import { RegistryError } from "./registry_error.ts";
import type { AccessSettings } from "./token.ts";

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

/**
 * Asks whether the other protocol is spoken.
 * @returns the endpoint to go on with: another one, or `endpoint` without a doubt
 * @throws {RegistryError} REGISTRY_TLS when TLS is spoken, but with a certificate that is refused: that is no reason to do
 * without
 */
export async function settleEndpoint(settings: AccessSettings, signal?: AbortSignal): Promise<Endpoint> {
  const { otherUrl } = settings.endpoint;
  const endpoint = withoutDoubt(settings.endpoint);
  if (otherUrl === undefined) return endpoint;
  const { timeouts, trust } = settings;
  try {
    const url = new URL(`${otherUrl}/v2/`);
    const exchange = await send({ method: "GET", url, headers: {}, kind: "api", timeouts, trust, signal });
    await exchange.discard();
    return { ...endpoint, baseUrl: otherUrl };
  } catch (error) {
    if (!(error instanceof RegistryError) || (error.code === "REGISTRY_TLS" && !isNoTls(error))) throw error;
    return endpoint;
  }
}
