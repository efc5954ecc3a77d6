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
 * The error for what fetch threw before there was a reply from `url`.
 * @returns a {@link RegistryError}; one that is given is returned as it is
 */
export function networkError(error: unknown, url: URL): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  if (TLS_CODE.test(code)) return tlsError(url, code);
  return new RegistryError(`Cannot reach "${url.host}": ${stateOf(code)}`, {
    code: "REGISTRY_UNREACHABLE",
    retryable: isPassing(code),
    cause: new Error(code),
    hint: hintFor(url, code),
  });
}

/** The error for what fetch threw while it read the body of a reply from `url`; as {@link networkError}. */
export function bodyError(error: unknown, url: URL): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  return new RegistryError(`Cannot read "${urlForMessages(url)}": ${stateOf(code)}`, {
    code: "REGISTRY_UNREACHABLE",
    retryable: isPassing(code),
    cause: new Error(code),
  });
}

function stateOf(code: string): string {
  return STATES[code] ?? `the request failed (${code})`;
}

/** Unknown failures are taken for passing ones: the number of attempts is limited anyway. */
function isPassing(code: string): boolean {
  return PASSING_CODES.includes(code) || STATES[code] === undefined;
}

function tlsError(url: URL, code: string): RegistryError {
  const isPlain = code === "EPROTO";
  return new RegistryError(
    `Cannot speak TLS with "${url.host}": ${isPlain ? "it may speak plain HTTP" : `its certificate is refused (${code})`}`,
    {
      code: "REGISTRY_TLS",
      cause: new Error(code),
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
  return 'Check the network, or name a mirror under "registries" in the configuration.';
}

/**
 * The code alone: fetch's errors carry the URL in a field and ofetch's in their message, and the query of a signed URL
 * is as good as a password.
 */
function codeOf(error: unknown): string {
  const origin = error instanceof Error && error.name === "FetchError" ? error.cause : error;
  const code = origin instanceof Error && "code" in origin ? origin.code : undefined;
  if (typeof code === "string") return code;
  return origin instanceof Error ? origin.name : "unknown";
}
