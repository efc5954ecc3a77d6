/** What fetch throws, said in the words of a person: which host, what happened, what to check. */
import { RegistryError, urlForMessages } from "./registry_error.ts";

const TLS_CODE =
  /^(?:EPROTO|CERT_|DEPTH_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|INVALID_CA|UNKNOWN_CERTIFICATE)/;

/** Failures after which the same request may well succeed: something spoke to us and stopped. */
const PASSING_CODES: readonly string[] = ["ECONNRESET", "EPIPE", "ETIMEDOUT", "ERR_STREAM_PREMATURE_CLOSE"];

const STATES: Readonly<Record<string, string>> = {
  ENOTFOUND: "its name does not resolve",
  EAI_AGAIN: "its name does not resolve",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was closed",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "it does not answer",
  ENETUNREACH: "there is no route to it",
  EHOSTUNREACH: "there is no route to it",
};

/**
 * The error for what fetch threw while it spoke to `url`.
 * @returns a {@link RegistryError}; one that is given is returned as it is
 */
export function networkError(error: unknown, url: URL): RegistryError {
  if (error instanceof RegistryError) return error;
  const origin = rootCause(error);
  const code = codeOf(origin);
  if (TLS_CODE.test(code)) return tlsError(origin, url, code);
  const state = STATES[code] ?? `the request failed (${code === "" ? "unknown cause" : code})`;
  return new RegistryError(`Cannot reach "${url.host}": ${state}`, {
    code: "REGISTRY_UNREACHABLE",
    retryable: PASSING_CODES.includes(code) || STATES[code] === undefined,
    cause: origin,
    hint: hintFor(url, code),
  });
}

function tlsError(cause: unknown, url: URL, code: string): RegistryError {
  const isPlain = code === "EPROTO";
  return new RegistryError(
    `Cannot speak TLS with "${url.host}": ${isPlain ? "it may speak plain HTTP" : `its certificate is refused (${code})`}`,
    {
      code: "REGISTRY_TLS",
      cause,
      hint: isPlain
        ? `Set "tls": false for "${url.host}" under "registries" in the configuration.`
        : "Check the clock, and name the registry's own authority in SSL_CERT_FILE.",
    },
  );
}

function hintFor(url: URL, code: string): string {
  if (code === "ECONNRESET" && url.protocol === "http:") {
    return `Set "tls": true for "${url.host}" under "registries" in the configuration if it speaks TLS.`;
  }
  return `Check the network, or name a mirror under "registries" in the configuration (tried ${urlForMessages(url)}).`;
}

/** ofetch wraps what fetch threw, and repeats the whole URL in its message. */
function rootCause(error: unknown): unknown {
  return error instanceof Error && error.name === "FetchError" ? (error.cause ?? undefined) : error;
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
