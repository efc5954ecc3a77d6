import { describe, expect, test } from "bun:test";
import type { CredentialStore } from "../../src/registry/credentials.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { replace, status } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";

const image = noisyImage();
const USERS = { me: "pass:word" };

describe("anonymous tokens", () => {
  test.each(["token", "access_token"] as const)("are taken from the field %s", async (tokenField) => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token", tokenField } });

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.requests.find(({ server }) => server === "token")?.path).toBe(
      "/token?service=registry.test&scope=repository%3Aapp%3Apull",
    );
  });

  test("are asked for once for many requests of one repository at the same time", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    const client = impatientClient();

    await Promise.all(Array.from({ length: 8 }, () => client.resolve(appOf(registry))));

    expect(registry.count(/^GET \/token/)).toBe(1);
  });

  test("are asked for again for another repository, without a challenge", async () => {
    await using registry = serveRegistry({
      images: { app: image, "other:1": image },
      auth: { type: "token" },
    });
    const client = impatientClient();
    await client.findTarget(appOf(registry));
    registry.reset();

    await client.findTarget(appOf(registry, "other:1"));

    expect(registry.requests.map(({ server }) => server)).toEqual(["token", "registry"]);
  });

  test("are renewed when they expire between two requests", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    const client = impatientClient();
    await client.findTarget(appOf(registry));
    registry.auth.expireAll();

    const resolved = await client.resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });

  test("do not open a repository that is private or missing, and the error says so", async () => {
    const auth = { type: "token", users: USERS, private: ["secret"] } as const;
    await using registry = serveRegistry({ images: { "secret:latest": image }, auth });

    for (const name of ["secret", "nosuch"]) {
      // One after the other, since the second shares the token server's challenge.
      const error = await registryErrorOf(impatientClient().resolve(appOf(registry, name)));
      expect([error.code, error.status]).toEqual(["IMAGE_NOT_FOUND", 401]);
      expect(error.message).toContain("it does not exist, or only members may pull it");
    }
  });
});

describe("credentials", () => {
  test("buy a token for a private repository", async () => {
    const auth = { type: "token", users: USERS, private: ["app"] } as const;
    await using registry = serveRegistry({ images: { app: image }, auth });

    const resolved = await impatientClient({ credentials: mine(registry) }).resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.requests.find(({ server }) => server === "token")?.path).toContain("account=me");
    expect(
      registry.requests.filter(({ headers }) => headers["authorization"]?.startsWith("Basic")),
    ).toHaveLength(1);
  });

  test("go along with every request to a registry that wants Basic, and with none to its CDN", async () => {
    const auth = { type: "basic", users: USERS } as const;
    await using registry = serveRegistry({ images: { app: image }, auth, blobRedirects: true });

    await impatientClient({ credentials: mine(registry) }).resolve(appOf(registry));

    const cdn = registry.requests.filter(({ server }) => server === "cdn");
    expect(cdn).toHaveLength(1);
    expect(cdn[0]?.headers["authorization"]).toBeUndefined();
  });

  test("of an identity token are exchanged by POST", async () => {
    const auth = { type: "token", identityTokens: ["idt"], private: ["app"] } as const;
    await using registry = serveRegistry({ images: { app: image }, auth });
    const credentials: CredentialStore = { [registry.host]: { type: "identity", identityToken: "idt" } };

    const resolved = await impatientClient({ credentials }).resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.requests.find(({ method }) => method === "POST")?.body).toContain(
      "grant_type=refresh_token",
    );
  });

  test.each(["basic", "token"] as const)(
    "that are wrong are refused without being shown (%s)",
    async (type) => {
      await using registry = serveRegistry({
        images: { app: image },
        auth: { type, users: USERS, private: ["app"] },
      });
      const credentials: CredentialStore = {
        [registry.host]: { type: "password", username: "me", password: "wrong-password" },
      };

      const error = await registryErrorOf(impatientClient({ credentials }).resolve(appOf(registry)));

      expect([error.code, error.status]).toEqual(["REGISTRY_UNAUTHORIZED", 401]);
      expect(Bun.inspect(error)).not.toMatch(/wrong-password|bWU6d3Jvbmct/);
    },
  );

  test("of one registry never reach another, be it a mirror", async () => {
    const auth = { type: "basic", users: USERS } as const;
    await using mirror = serveRegistry({ images: { app: image }, auth });
    await using registry = serveRegistry({ images: { app: image }, auth });
    const registries = { [registry.host]: { mirrors: [mirror.url] } };

    await impatientClient({ registries, credentials: mine(registry) }).resolve(appOf(registry));

    expect(mirror.requests.length).toBeGreaterThan(0);
    expect(mirror.requests.filter(({ headers }) => "authorization" in headers)).toEqual([]);
  });
});

describe("challenges", () => {
  test.each([
    ["a private address", "http://10.0.0.1/token"],
    ["a link-local address", "http://169.254.169.254/token"],
    ["another scheme", "file:///etc/passwd"],
    ["no URL", "token"],
  ])("with a realm at %s are refused", async (_, realm) => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    registry.auth.realm = realm;

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_PROTOCOL");
    expect(error.message).toContain("is not allowed");
  });

  test("may name a token server of another host", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    registry.auth.realm = `http://localhost:${new URL(registry.url).port}/token`;

    await impatientClient().resolve(appOf(registry));

    expect(registry.requests.find(({ server }) => server === "token")?.headers["host"]).toStartWith(
      "localhost:",
    );
  });

  test("are found among others", async () => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    registry.break(
      replace({ on: /manifests/, times: 1 }, (right) => {
        const changed = new Headers(right.headers);
        changed.set("WWW-Authenticate", `Negotiate, ${right.headers.get("www-authenticate")}`);
        return new Response(null, { status: right.status, headers: changed });
      }),
    );

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });

  test("that nobody can answer leave the 401", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(401, { headers: { "WWW-Authenticate": "Negotiate" } }));

    expect((await registryErrorOf(impatientClient().resolve(appOf(registry)))).status).toBe(401);
  });
});

describe("token servers", () => {
  test.each<[string, Response, string]>([
    ["sends no token", Response.json({}), "REGISTRY_PROTOCOL"],
    ["sends a token with a line break", Response.json({ token: "a\r\nX-Evil: 1" }), "REGISTRY_PROTOCOL"],
    ["sends HTML", new Response("<html>"), "REGISTRY_PROTOCOL"],
    ["sends 2 MiB", new Response(new Uint8Array(2 * 1024 * 1024)), "REGISTRY_PROTOCOL"],
    ["replies 404", new Response(null, { status: 404 }), "REGISTRY_FAILED"],
    [
      "replies 429",
      new Response(null, { status: 429, headers: { "Retry-After": "99" } }),
      "REGISTRY_RATE_LIMITED",
    ],
  ])("a server that %s is an error", async (_, reply, code) => {
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    registry.break(replace({ server: "token" }, () => reply));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect<string>(error.code).toBe(code);
  });
});

function mine(registry: FakeRegistry): CredentialStore {
  return { [registry.host]: { type: "password", username: "me", password: USERS.me } };
}
