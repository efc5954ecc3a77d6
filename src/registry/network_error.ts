/** What fetch throws, said in the words of a person: which host, what happened, what to check. */
import { UsageError } from "../errors.ts";
import { RegistryError, urlForMessages } from "./registry_error.ts";

const TLS_CODE =
  /^(?:EPROTO|CERT_|DEPTH_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_|ERR_SSL_|HOSTNAME_MISMATCH|INVALID_CA|UNKNOWN_CERTIFICATE)/;

const UNKNOWN_AUTHORITY = /^(?:UNABLE_TO_|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED)/;

const PROXY_HINT = "Check HTTPS_PROXY and HTTP_PROXY; name what needs no proxy in NO_PROXY";

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
 * @param proxy where the request went to instead
 * @returns a {@link RegistryError}; one that is given is returned as it is
 */
export function networkError(error: unknown, url: URL, proxy?: URL): RegistryError | UsageError {
  if (error instanceof RegistryError || error instanceof UsageError) return error;
  const code = codeOf(error);
  if (code === "ERR_PROXY_TUNNEL" && proxy !== undefined) return proxyRefusal(url, proxy, statusIn(error));
  if (TLS_CODE.test(code)) return tlsError(url, code);
  const by = proxy === undefined ? "" : ` through the proxy "${proxy.host}"`;
  return new RegistryError(`Cannot reach "${url.host}"${by}: ${stateOf(code)}`, {
    code: "REGISTRY_UNREACHABLE",
    retryable: isPassing(code),
    cause: new Error(code),
    hint: proxy === undefined ? hintFor(url, code) : PROXY_HINT,
  });
}

/** A proxy that answers in the host's place. Its user and password stand in `proxy`, and go into no message. */
export function proxyRefusal(url: URL, proxy: URL, status: number | undefined): RegistryError {
  const state = status === undefined ? "it refuses to connect" : `it replies with status ${status}`;
  return new RegistryError(`Cannot reach "${url.host}" through the proxy "${proxy.host}": ${state}`, {
    code: "REGISTRY_UNREACHABLE",
    // A gateway may come back; a wrong password stays wrong.
    retryable: status !== undefined && status >= 500,
    hint:
      status === 407
        ? "Put user and password into the proxy's URL: http://USER:PASSWORD@HOST:PORT"
        : PROXY_HINT,
  });
}

/** True for a certificate that is refused because nobody known has signed it. */
export function isUnknownAuthority(error: unknown): boolean {
  if (!(error instanceof RegistryError) || error.code !== "REGISTRY_TLS") return false;
  return error.cause instanceof Error && UNKNOWN_AUTHORITY.test(error.cause.message);
}

/** True when the other side does not speak TLS, or broke off the handshake. */
export function isNoTls(error: unknown): boolean {
  return error instanceof RegistryError && error.cause instanceof Error && error.cause.message === "EPROTO";
}

/** True when the other side closed the connection in the place of a reply. */
export function isClosed(error: unknown): boolean {
  return (
    error instanceof RegistryError && error.cause instanceof Error && error.cause.message === "ECONNRESET"
  );
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
  const { state, hint } = code === "EPROTO" ? brokenHandshake(url) : refusedCertificate(url, code);
  return new RegistryError(`Cannot speak TLS with "${url.host}": ${state}`, {
    code: "REGISTRY_TLS",
    cause: new Error(code),
    hint,
  });
}

/** Bun tells one from the other by nothing. */
function brokenHandshake({ host }: URL): { readonly state: string; readonly hint: string } {
  return {
    state: "it may speak plain HTTP, or want a client certificate",
    hint:
      `Set "tls": false for "${host}" under "registries" in the configuration, or put client.cert and client.key into ` +
      `/etc/containers/certs.d/${host}`,
  };
}

function refusedCertificate({ host }: URL, code: string): { readonly state: string; readonly hint: string } {
  const ways =
    code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID"
      ? "Check the clock, and have the certificate renewed"
      : code.includes("HOSTNAME") || code.includes("ALTNAME")
        ? "Use the name that the certificate is for"
        : `Put the authority's certificate into /etc/containers/certs.d/${host}/ca.crt`;
  return {
    state: `its certificate is refused (${code})`,
    hint: `${ways}; to do without verification: --tls-verify=false`,
  };
}

function hintFor(url: URL, code: string): string {
  if (code === "ECONNRESET" && url.protocol === "http:") {
    return `Set "tls": true for "${url.host}" under "registries" in the configuration if it speaks TLS`;
  }
  return 'Check the network, or name a mirror under "registries" in the configuration';
}

/** The status in the message of ERR_PROXY_TUNNEL, which has it nowhere else. */
function statusIn(error: unknown): number | undefined {
  const origin = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const status = origin instanceof Error ? /: ([1-5][0-9]{2})\b/.exec(origin.message)?.[1] : undefined;
  return status === undefined ? undefined : Number(status);
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
