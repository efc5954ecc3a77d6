/** Tokens on the way: which scopes are asked for, who is asked, how often, and what goes along. */
import { describe, expect, test } from "bun:test";
import type { CredentialStore } from "../../src/registry/credentials.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { BLOBS, MANIFESTS, redirect, replace, status } from "../helpers/registry_faults.ts";
import {
  appOf,
  fetchInWorker,
  impatientClient,
  noisyImage,
  registryErrorOf,
} from "../helpers/registry_fixture.ts";

const image = noisyImage();
const TOKEN = { type: "token" } as const;
const [layer] = image.layers;

describe("scopes", () => {
  test("that a challenge names come first, since some servers grant the first alone", async () => {
    await using registry = serveRegistry({ images: { app: image, "base:1": image }, auth: TOKEN });
    registry.break(challenge(registry, { on: MANIFESTS, times: 1 }, 'scope="repository:base:pull"'));

    await impatientClient().findTarget(appOf(registry));

    expect(tokenScopes(registry)).toEqual([["repository:base:pull", "repository:app:pull"]]);
  });

  test("that are not enough are asked for again, with the action that lacks", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: TOKEN });
    const client = impatientClient();
    await client.findTarget(appOf(registry));
    const lacking = 'scope="repository:app:pull,delete",error="insufficient_scope"';
    registry.break(challenge(registry, { on: MANIFESTS, times: 1 }, lacking));

    await client.resolve(appOf(registry));

    expect(tokenScopes(registry)).toEqual([["repository:app:pull"], ["repository:app:pull,delete"]]);
  });
});

describe("challenges", () => {
  test.each([
    ["in several headers", ["Negotiate", "Bearer"]],
    ["with quoted commas", ['Digest realm="a, b", nonce="c"', "Bearer"]],
    ["after Basic, which needs a password", ['Basic realm="me"', "Bearer"]],
    ["in capitals", ["BEARER"]],
  ])("are understood %s", async (_, schemes) => {
    await using registry = serveRegistry({ images: { app: image }, auth: TOKEN });
    const parameters = `realm="${registry.url}/token",service="registry.test",scope="repository:app:pull"`;
    registry.break(
      replace({ on: MANIFESTS, times: 1 }, () => {
        const headers = new Headers();
        for (const scheme of schemes)
          headers.append("WWW-Authenticate", /^bearer$/i.test(scheme) ? `${scheme} ${parameters}` : scheme);
        return new Response(null, { status: 401, headers });
      }),
    );

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });
});

describe("an identity token", () => {
  test.each([
    [404, undefined, "<token>"],
    [405, undefined, "<token>"],
    [404, "00000000-0000", "00000000-0000"],
  ])("is sent by GET where POST gets %i, for the user %p as %s", async (code, username, user) => {
    const auth = { ...TOKEN, users: { [user]: "idt" }, private: ["app"] };
    await using registry = serveRegistry({ images: { app: image }, auth });
    registry.break(status(code, { on: /^POST/ }));
    const named = username === undefined ? {} : { username };
    const credentials: CredentialStore = {
      [registry.host]: { type: "identity", identityToken: "idt", ...named },
    };

    const resolved = await impatientClient({ credentials }).resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.requests.filter(({ server }) => server === "token").map(({ method }) => method)).toEqual([
      "POST",
      "GET",
    ]);
    expect(registry.requests.every(({ path }) => !path.includes("idt"))).toBe(true);
  });

  test("is not sent by GET where it is refused", async () => {
    const auth = { ...TOKEN, private: ["app"] };
    await using registry = serveRegistry({ images: { app: image }, auth });
    const credentials: CredentialStore = { [registry.host]: { type: "identity", identityToken: "old" } };

    const error = await registryErrorOf(impatientClient({ credentials }).resolve(appOf(registry)));

    expect([error.code, registry.count(/^GET \/token/)]).toEqual(["REGISTRY_UNAUTHORIZED", 0]);
  });
});

describe("a token request that is redirected", () => {
  test("goes on, to another host without the password", async () => {
    await using other = serveRegistry({ images: { app: image }, auth: TOKEN });
    await using registry = serveRegistry({ images: { app: image }, auth: { ...TOKEN, users: { me: "pw" } } });
    registry.break(redirect(`${other.url}/token?scope=repository:app:pull`, { server: "token" }));
    const credentials: CredentialStore = {
      [registry.host]: { type: "password", username: "me", password: "pw" },
    };

    const error = await registryErrorOf(impatientClient({ credentials }).resolve(appOf(registry)));

    // The other one's tokens are worth nothing here.
    expect(error.status).toBe(401);
    expect(other.requests.map(({ server }) => server)).toEqual(["token"]);
    expect(other.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  test("does not go on when it holds an identity token and leads to another origin", async () => {
    await using other = serveRegistry({ images: { app: image }, auth: TOKEN });
    const auth = { ...TOKEN, identityTokens: ["idt"], private: ["app"] };
    await using registry = serveRegistry({ images: { app: image }, auth });
    registry.break(redirect(`${other.url}/token`, { on: /^POST/, status: 307 }));
    const credentials: CredentialStore = { [registry.host]: { type: "identity", identityToken: "idt" } };

    const error = await registryErrorOf(impatientClient({ credentials }).resolve(appOf(registry)));

    expect(error.status).toBe(307);
    expect(other.requests).toEqual([]);
  });

  test.each(["http://10.0.0.1/token", "http://169.254.169.254/token", "http://[fd00::1]/token"])(
    "is not sent to %s, where a realm could not be either",
    async (target) => {
      await using registry = serveRegistry({ images: { app: image }, auth: TOKEN });
      registry.break(redirect(target, { server: "token" }));

      const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

      expect([error.code, error.message]).toEqual([
        "REGISTRY_PROTOCOL",
        expect.stringContaining("which is not allowed"),
      ]);
    },
  );
});

describe("another registry that a redirect leads to", () => {
  test.each([
    ["manifests", MANIFESTS],
    ["blobs", BLOBS],
  ])("is asked for %s with a token that anyone gets, and no credentials", async (kind, on) => {
    await using other = serveRegistry({ images: { app: image }, auth: TOKEN });
    const auth = { ...TOKEN, users: { me: "pw" }, private: ["app"] };
    await using registry = serveRegistry({ images: { app: image }, auth });
    registry.break(sendTo(other, on));
    const credentials: CredentialStore = {
      [registry.host]: { type: "password", username: "me", password: "pw" },
    };

    const resolved = await impatientClient({ credentials }).resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(other.count(new RegExp(`/${kind}/`))).toBeGreaterThan(0);
    const token = other.requests.find(({ server }) => server === "token");
    expect(token?.headers).not.toHaveProperty("authorization");
    expect(token?.path).not.toContain("account=me");
    const mine = new Set(registry.requests.map(({ headers }) => headers["authorization"]));
    const theirs = other.requests.flatMap(({ headers }) => headers["authorization"] ?? []);
    expect(theirs.filter((header) => mine.has(header))).toEqual([]);
  });

  test("is asked for another token when the one that was kept is refused", async () => {
    await using other = serveRegistry({ images: { app: image }, auth: TOKEN });
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(sendTo(other, MANIFESTS));
    const client = impatientClient();
    await client.resolve(appOf(registry));
    const before = other.count(/^GET \/token/);
    other.auth.expireAll();

    const resolved = await client.resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect([before, other.count(/^GET \/token/)]).toEqual([1, 2]);
  });

  test("gets no token from a realm that it must not name", async () => {
    await using other = serveRegistry({ images: { app: image }, auth: TOKEN });
    await using registry = serveRegistry({ images: { app: image } });
    other.auth.realm = "http://169.254.169.254/token";
    registry.break(sendTo(other, MANIFESTS));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_PROTOCOL");
  });
});

describe("tokens that expire while Workers fetch", () => {
  test("are renewed once for all of them", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: TOKEN });
    const client = impatientClient({ timeouts: { responseMs: 5000 } });
    const { manifest } = await client.resolve(appOf(registry));
    const descriptor = manifest.layers[0];
    if (descriptor === undefined) throw new Error("Cannot happen: there is a layer");
    const requests = await Promise.all(
      [1, 2, 3, 4].map(() => client.blobRequest(appOf(registry), descriptor)),
    );
    registry.auth.expireAll();
    registry.reset();

    const digests = await Promise.all(requests.map(fetchInWorker));

    expect(digests).toEqual(Array(4).fill(layer?.descriptor.digest));
    expect(registry.count(/^GET \/token/)).toBe(1);
  });

  test("are renewed by the Worker itself when nobody answers", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: TOKEN });
    const client = impatientClient();
    const { manifest } = await client.resolve(appOf(registry));
    const descriptor = manifest.layers[0];
    if (descriptor === undefined) throw new Error("Cannot happen: there is a layer");
    const request = await client.blobRequest(appOf(registry), descriptor);
    const orphaned = request.sources.map(({ settings, ...source }) => ({
      ...source,
      settings: { ...settings, owner: "nobody" },
    }));
    registry.auth.expireAll();
    registry.reset();

    const digest = await fetchInWorker({ ...request, sources: orphaned });

    expect(digest).toBe(layer?.descriptor.digest ?? "");
    expect(registry.count(/^GET \/token/)).toBe(1);
  });
});

function challenge(registry: FakeRegistry, match: Parameters<typeof status>[1], more: string) {
  const realm = `Bearer realm="${registry.url}/token",service="registry.test"`;
  return status(401, { ...match, headers: { "WWW-Authenticate": `${realm},${more}` } });
}

function tokenScopes(registry: FakeRegistry): string[][] {
  const asked = registry.requests.filter(({ server }) => server === "token");
  return asked.map(({ path }) => new URL(path, registry.url).searchParams.getAll("scope"));
}

/** Redirects what is asked for, once authorised, to the same path of another registry. */
function sendTo(other: FakeRegistry, on: RegExp) {
  return replace({ on, server: "registry" }, (right, request) => {
    if (right.status === 401) return right;
    const { pathname } = new URL(request.url);
    return new Response(null, { status: 307, headers: { Location: `${other.url}${pathname}` } });
  });
}
