/** The access rules of the fake registry: Docker Hub's token flow, Basic, or none. */

export interface TokenAuthOptions {
  readonly type: "none" | "basic" | "token";
  /** Passwords by user; anyone may pull what is not private. */
  readonly users?: Readonly<Record<string, string>>;
  /** Identity tokens that are exchanged for access tokens; the first is given to users who ask for one. */
  readonly identityTokens?: readonly string[];
  /** Repositories that need a user. */
  readonly private?: readonly string[];
  /** `expires_in` of tokens; undefined leaves it out [300]. */
  readonly expiresInSeconds?: number;
  /** Name of the token in the reply [token]. */
  readonly tokenField?: "token" | "access_token";
}

interface Grant {
  readonly repositories: readonly string[];
  isValid: boolean;
}

/** Issues tokens and checks them. */
export class TokenAuth {
  /** Address of the token server in challenges; the registry itself unless it is set. */
  realm: string | undefined;
  readonly #options: TokenAuthOptions;
  readonly #grants = new Map<string, Grant>();

  constructor(options: TokenAuthOptions) {
    this.#options = options;
  }

  /** Makes every token that was issued invalid, as if its time were over. */
  expireAll(): void {
    for (const grant of this.#grants.values()) grant.isValid = false;
  }

  /** The reply to a request without access, or to one for a token; undefined when access is granted. */
  handle(request: Request, body: string, repositories: readonly string[]): Response | undefined {
    const url = new URL(request.url);
    if (this.#options.type === "none") return undefined;
    if (this.#options.type === "basic")
      return this.#user(request) === undefined ? this.#challenge(url) : undefined;
    if (url.pathname === "/token") return this.#issue(request, { body, repositories });
    const grant = this.#grants.get(
      /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "",
    );
    const repository = repositoryOf(url);
    if (grant?.isValid === true && (repository === "" || grant.repositories.includes(repository)))
      return undefined;
    return this.#challenge(url, grant === undefined ? undefined : grantError(grant));
  }

  #issue(
    request: Request,
    { body, repositories }: { body: string; repositories: readonly string[] },
  ): Response {
    const query = request.method === "POST" ? new URLSearchParams(body) : new URL(request.url).searchParams;
    const hasCredentials = request.headers.has("authorization") || request.method === "POST";
    const user = request.method === "POST" ? this.#identity(query) : this.#user(request);
    if (hasCredentials && user === undefined) {
      return Response.json({ details: "incorrect username or password" }, { status: 401 });
    }
    const open = query.getAll("scope").flatMap((scope) => {
      const [, name = "", actions = ""] = /^repository:(.+):([a-z,]+)$/.exec(scope) ?? [];
      const mayPull = repositories.includes(name) && (user !== undefined || !this.#isPrivate(name));
      // A push makes the repository.
      return mayPull || (user !== undefined && actions.includes("push")) ? [name] : [];
    });
    const token = crypto.randomUUID();
    this.#grants.set(token, { repositories: open, isValid: true });
    const { expiresInSeconds = 300, tokenField = "token" } = this.#options;
    const identity =
      query.get("offline_token") === "true" && user !== undefined
        ? this.#options.identityTokens?.[0]
        : undefined;
    return Response.json({
      [tokenField]: token,
      ...(identity === undefined ? {} : { refresh_token: identity }),
      expires_in: expiresInSeconds,
      issued_at: new Date().toISOString(),
    });
  }

  #challenge(url: URL, error?: string): Response {
    const scope = repositoryOf(url) === "" ? "" : `,scope="repository:${repositoryOf(url)}:pull"`;
    const bearer = `Bearer realm="${this.realm}",service="registry.test"${scope}${error === undefined ? "" : `,error="${error}"`}`;
    const challenge = this.#options.type === "basic" ? 'Basic realm="test"' : bearer;
    const body = { errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] };
    return Response.json(body, { status: 401, headers: { "WWW-Authenticate": challenge } });
  }

  #user(request: Request): string | undefined {
    const encoded = /^Basic (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
    const [, user = "", password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString()) ?? [];
    return password !== undefined && this.#options.users?.[user] === password ? user : undefined;
  }

  #identity(form: URLSearchParams): string | undefined {
    const token = form.get("refresh_token") ?? "";
    const isKnown =
      form.get("grant_type") === "refresh_token" && this.#options.identityTokens?.includes(token) === true;
    return isKnown ? "identity" : undefined;
  }

  #isPrivate(repository: string): boolean {
    return this.#options.private?.includes(repository) === true;
  }
}

function grantError(grant: Grant): string {
  return grant.isValid ? "insufficient_scope" : "invalid_token";
}

function repositoryOf(url: URL): string {
  return /^\/v2\/(.+)\/(?:manifests|blobs)\/[^/]+$/.exec(url.pathname)?.[1] ?? "";
}
