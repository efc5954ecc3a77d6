/**
 * A token server for docker-registry (distribution's "Token Authentication Implementation"): signs JSON Web Tokens with
 * a key whose certificate the registry is told to trust. Anyone may pull what is not private.
 */
import { createPrivateKey, type KeyObject, sign as signBytes } from "node:crypto";
import { readFileSync } from "node:fs";

export interface TokenServer extends AsyncDisposable {
  readonly url: string;
  /** The certificate that the registry must trust, PEM. */
  readonly certificatePath: string;
}

export interface TokenServerOptions {
  /** Existing directory for key and certificate. */
  readonly directory: string;
  readonly user: { readonly name: string; readonly password: string };
  readonly private: readonly string[];
}

const LIFETIME_S = 300;

/** Starts the server on 127.0.0.1; needs openssl. */
export async function startJwtServer(options: TokenServerOptions): Promise<TokenServer> {
  const keyPath = `${options.directory}/token.key`;
  const certificatePath = `${options.directory}/token.crt`;
  const made = Bun.spawnSync([
    ...[
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
    ],
    ...["-keyout", keyPath, "-out", certificatePath, "-subj", "/CN=bunker tests"],
  ]);
  if (!made.success) throw new Error(`openssl failed: ${made.stderr}`);
  const key = createPrivateKey(readFileSync(keyPath));
  const certificate = pemBody(readFileSync(certificatePath, "utf8"));
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const hasCredentials = request.headers.has("authorization");
      const isUser = request.headers.get("authorization") === basic(options.user);
      if (hasCredentials && !isUser) return new Response(null, { status: 401 });
      const { searchParams } = new URL(request.url);
      const access = searchParams.getAll("scope").flatMap((scope) => granted(scope, isUser, options.private));
      const token = sign(key, certificate, { aud: searchParams.get("service"), access });
      return Response.json({ token, expires_in: LIFETIME_S });
    },
  });
  return {
    url: `${server.url.origin}/token`,
    certificatePath,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function granted(scope: string, isUser: boolean, hidden: readonly string[]): object[] {
  const [, name = "", actions = ""] = /^repository:(.+):([a-z,]+)$/.exec(scope) ?? [];
  const wanted = actions
    .split(",")
    .filter((action) => isUser || (action === "pull" && !hidden.includes(name)));
  return wanted.length === 0 ? [] : [{ type: "repository", name, actions: wanted }];
}

/** At once: the threads that WebCrypto needs may all be waiting for the output of a program (pipes.ts). */
function sign(key: KeyObject, certificate: string, claims: Record<string, unknown>): string {
  const now = Math.floor(Date.now() / 1000);
  const header = encode(JSON.stringify({ typ: "JWT", alg: "ES256", x5c: [certificate] }));
  const times = { iat: now, nbf: now - 10, exp: now + LIFETIME_S };
  const body = encode(
    JSON.stringify({ iss: "bunker-tests", sub: "", jti: crypto.randomUUID(), ...times, ...claims }),
  );
  const text = Buffer.from(`${header}.${body}`);
  return `${header}.${body}.${encode(signBytes("sha256", text, { key, dsaEncoding: "ieee-p1363" }))}`;
}

function pemBody(pem: string): string {
  return pem.replace(/-----[^-]+-----/g, "").replace(/\s/g, "");
}

function encode(value: string | Uint8Array): string {
  return Buffer.from(value).toString("base64url");
}

function basic({ name, password }: { readonly name: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;
}
