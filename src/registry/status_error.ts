/** What a reply that is no success means for a person, from its status and the registry's own error codes. */
import { optionalString, parseJsonObject } from "../oci/json.ts";
import type { Exchange } from "./exchange.ts";
import { describeQuota, quotaOf } from "./notices.ts";
import { quoteForeign, RegistryError, type RegistryErrorCode } from "./registry_error.ts";
import { parseRetryAfter } from "./retry.ts";

/** What was asked, for the message. */
export interface Asked {
  /** E.g. `image "docker.io/library/alpine:latest"`. */
  readonly what: string;
  /** Name of the endpoint. */
  readonly registry: string;
  readonly hasCredentials: boolean;
  readonly verb: "pull" | "push";
}

interface Verdict {
  readonly code: RegistryErrorCode;
  readonly state: string;
  readonly hint?: string;
}

const ERROR_BODY_BYTES_MAX = 64 * 1024;
const LOGIN_HINT = "Check the spelling; for a private image log in first: bunker login";

const PUSH_HINT = "Check the name, which begins with yours at many registries, and log in: bunker login";

/** Reads the reply's body and makes the error of it. */
export async function statusError(exchange: Exchange, asked: Asked): Promise<RegistryError> {
  const server = await serverError(exchange);
  const verdict =
    (asked.verb === "push" ? judgePush(exchange, asked, server.code) : undefined) ??
    judge(exchange, asked, server.code);
  const said = server.message === undefined ? "" : ` (the registry says ${quoteForeign(server.message)})`;
  return new RegistryError(`Cannot ${asked.verb} ${asked.what}: ${verdict.state}${said}`, {
    code: verdict.code,
    status: exchange.status,
    retryable: exchange.status === 429 || exchange.status >= 500,
    retryAfterMs: parseRetryAfter(exchange.header("retry-after")),
    ...(server.code === undefined ? {} : { serverCode: server.code }),
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
  });
}

function judge(exchange: Exchange, asked: Asked, serverCode: string | undefined): Verdict {
  const { registry, hasCredentials } = asked;
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
        hint: "Check the name and the tag",
      };
    case 429:
      return rateLimited(exchange, asked);
    default:
      return { code: "REGISTRY_FAILED", state: `"${registry}" replies with status ${exchange.status}` };
  }
}

/** What means something else when one wants to write; undefined for all else. */
function judgePush(
  { status }: Exchange,
  { registry, hasCredentials }: Asked,
  serverCode: string | undefined,
): Verdict | undefined {
  if (serverCode === "DIGEST_INVALID")
    return { code: "CONTENT_MISMATCH", state: `"${registry}" got bytes that are not what their digest says` };
  if (status === 401 && !hasCredentials)
    return { code: "REGISTRY_UNAUTHORIZED", state: `"${registry}" wants a login`, hint: PUSH_HINT };
  if (status === 403)
    return { code: "REGISTRY_DENIED", state: `"${registry}" denies access`, hint: PUSH_HINT };
  if (status === 404 || status === 405)
    return { code: "REGISTRY_FAILED", state: `"${registry}" has no such repository, or takes no images` };
  return undefined;
}

function missing(registry: string, serverCode: string | undefined): string {
  if (serverCode === "NAME_UNKNOWN") return `"${registry}" has no such repository`;
  if (serverCode === "BLOB_UNKNOWN") return `"${registry}" lacks a part of it`;
  return `"${registry}" has no such tag or digest`;
}

/** What is left of the quota, how long it takes, and what to do meanwhile. */
function rateLimited(exchange: Exchange, { registry, hasCredentials }: Asked): Verdict {
  const waitMs = parseRetryAfter(exchange.header("retry-after"));
  const seconds = waitMs === undefined ? undefined : Math.ceil(waitMs / 1000);
  const wait = seconds === undefined ? "" : `; it asks to wait ${seconds} s`;
  const quota = quotaOf(exchange);
  const left = quota === undefined ? "" : `; ${describeQuota(quota)}`;
  const login = hasCredentials ? "" : "log in for a higher limit: bunker login, ";
  return {
    code: "REGISTRY_RATE_LIMITED",
    state: `"${registry}" allows no more requests for now${wait}${left}`,
    hint:
      `Try again ${seconds === undefined ? "later" : `in ${seconds} s`}, ${login}` +
      'or name a mirror under "mirrors" in the configuration',
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
