/** What a reply that is no success means for a person, from its status and the registry's own error codes. */
import { optionalString, parseJsonObject } from "../oci/json.ts";
import type { Exchange } from "./exchange.ts";
import { quoteForeign, RegistryError, type RegistryErrorCode } from "./registry_error.ts";
import { parseRetryAfter } from "./retry.ts";

/** What was asked, for the message. */
export interface Asked {
  /** E.g. `image "docker.io/library/alpine:latest"`. */
  readonly what: string;
  /** Name of the endpoint. */
  readonly registry: string;
  readonly hasCredentials: boolean;
}

interface Verdict {
  readonly code: RegistryErrorCode;
  readonly state: string;
  readonly hint?: string;
}

const ERROR_BODY_BYTES_MAX = 64 * 1024;
const LOGIN_HINT = "Check the spelling; for a private image log in first: bunker login.";

/** Reads the reply's body and makes the error of it. */
export async function statusError(exchange: Exchange, asked: Asked): Promise<RegistryError> {
  const server = await serverError(exchange);
  const verdict = judge(exchange, asked, server.code);
  const said = server.message === undefined ? "" : ` (the registry says ${quoteForeign(server.message)})`;
  return new RegistryError(`Cannot pull ${asked.what}: ${verdict.state}${said}`, {
    code: verdict.code,
    status: exchange.status,
    retryable: exchange.status === 429 || exchange.status >= 500,
    ...(server.code === undefined ? {} : { serverCode: server.code }),
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
  });
}

function judge(
  exchange: Exchange,
  { registry, hasCredentials }: Asked,
  serverCode: string | undefined,
): Verdict {
  switch (exchange.status) {
    case 401:
      return hasCredentials
        ? { code: "REGISTRY_UNAUTHORIZED", state: `"${registry}" refuses the credentials`, hint: LOGIN_HINT }
        : {
            code: "IMAGE_NOT_FOUND",
            state: "it does not exist, or only members may pull it",
            hint: LOGIN_HINT,
          };
    case 403:
      return { code: "REGISTRY_DENIED", state: `"${registry}" denies access`, hint: LOGIN_HINT };
    case 404:
      return {
        code: "IMAGE_NOT_FOUND",
        state: missing(registry, serverCode),
        hint: "Check the name and the tag.",
      };
    case 429:
      return rateLimited(exchange, registry);
    default:
      return { code: "REGISTRY_FAILED", state: `"${registry}" replies with status ${exchange.status}` };
  }
}

function missing(registry: string, serverCode: string | undefined): string {
  if (serverCode === "NAME_UNKNOWN") return `"${registry}" has no such repository`;
  if (serverCode === "BLOB_UNKNOWN") return `"${registry}" lacks a part of it`;
  return `"${registry}" has no such tag or digest`;
}

function rateLimited(exchange: Exchange, registry: string): Verdict {
  const waitMs = parseRetryAfter(exchange.header("retry-after"));
  const seconds = waitMs === undefined ? undefined : Math.ceil(waitMs / 1000);
  const wait = seconds === undefined ? "" : `; it asks to wait ${seconds} s`;
  return {
    code: "REGISTRY_RATE_LIMITED",
    state: `"${registry}" allows no more requests for now${wait}`,
    hint:
      seconds === undefined
        ? "Try again later, log in for a higher limit, or configure a mirror."
        : `Try again in ${seconds} s, log in for a higher limit, or configure a mirror.`,
  };
}

/** First error of the body (distribution-spec, spec.md#error-codes); empty when there is none. */
async function serverError(exchange: Exchange): Promise<{ code?: string; message?: string }> {
  try {
    const body = parseJsonObject(await exchange.bytes(ERROR_BODY_BYTES_MAX), "error");
    const errors = body["errors"];
    const [first] = Array.isArray(errors) ? errors : [];
    const code = optionalString(first ?? {}, "code", "error");
    const message = optionalString(first ?? {}, "message", "error");
    return { ...(code === undefined ? {} : { code }), ...(message === undefined ? {} : { message }) };
  } catch {
    // Proxies reply in HTML, HEAD without a body: the status alone must do.
    return {};
  }
}
