/** What can go wrong with tokens, and what a pull costs of a quota: row by row, as faults.test.ts. */
import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { app, type FaultRow, testFault } from "../helpers/fault_rows.ts";
import { buildImage, buildIndex } from "../helpers/image_builder.ts";
import { PullSandbox } from "../helpers/pull_sandbox.ts";
import {
  BLOBS,
  cut,
  type Fault,
  hang,
  headers,
  MANIFESTS,
  replace,
  stall,
  status,
} from "../helpers/registry_faults.ts";
import { whyMissing } from "../helpers/requires.ts";

const TOKEN = { type: "token" } as const;
const PRIVATE = { ...TOKEN, users: { me: "secret" }, private: ["app"] } as const;
const reason = whyMissing(["root"]);

describe.skipIf(reason !== undefined)(`a token server (${reason ?? "as root"})`, () => {
  const replies: ReadonlyArray<readonly [string, () => Fault, FaultRow["outcome"]]> = [
    ["401", () => status(401, { server: "token" }), "REGISTRY_UNAUTHORIZED"],
    ["403", () => status(403, { server: "token" }), "REGISTRY_UNAUTHORIZED"],
    ["404", () => status(404, { server: "token" }), "REGISTRY_FAILED"],
    ["429", () => status(429, { server: "token" }), "REGISTRY_RATE_LIMITED"],
    [
      "429 with Retry-After: an hour",
      () => status(429, { server: "token", headers: { "Retry-After": "3600" } }),
      "REGISTRY_RATE_LIMITED",
    ],
    [
      "429 once",
      () => status(429, { server: "token", times: 1, headers: { "Retry-After": "0" } }),
      "the image",
    ],
    ["500", () => status(500, { server: "token" }), "REGISTRY_FAILED"],
    ["503 twice", () => status(503, { server: "token", times: 2 }), "the image"],
    ["a giant token", () => token("x".repeat(100_000)), "REGISTRY_PROTOCOL"],
    ["a giant body", () => status(200, { server: "token", body: " ".repeat(2 << 20) }), "REGISTRY_PROTOCOL"],
    ["a token with a line break", () => token("a\r\nX-Evil: 1"), "REGISTRY_PROTOCOL"],
    ["no token", () => status(200, { server: "token", body: "{}" }), "REGISTRY_PROTOCOL"],
    ["HTML", () => status(200, { server: "token", body: "<html>" }), "REGISTRY_PROTOCOL"],
    ["a body that is cut, once", () => cut(10, { server: "token", times: 1 }), "the image"],
    ["a body that stalls", () => stall(10, { server: "token" }), "REGISTRY_UNREACHABLE"],
    ["nothing", () => hang({ server: "token" }), "REGISTRY_UNREACHABLE"],
  ];
  for (const [what, fault, outcome] of replies)
    testFault(`that replies with ${what}`, { registry: { auth: TOKEN }, faults: () => [fault()], outcome });
});

describe.skipIf(reason !== undefined)(`a token (${reason ?? "as root"})`, () => {
  testFault("expired between manifest and layer", {
    registry: { auth: TOKEN },
    faults: ({ registry }) => [expireBefore(registry, /^GET .*\/blobs\//)],
    outcome: "the image",
  });
  testFault("expired in the middle of a layer that breaks then", {
    registry: { auth: TOKEN },
    faults: ({ registry }) => [
      cut(2_000_000, { on: new RegExp(`${app.layers[0]?.descriptor.digest}`), times: 1 }),
      expireBefore(registry, new RegExp(`^GET .*${app.layers[0]?.descriptor.digest}`)),
    ],
    outcome: "the image",
  });
  testFault("expired each time, which is tried once more and no further", {
    registry: { auth: TOKEN },
    faults: ({ registry }) => [refuse(registry, 'error="invalid_token"')],
    outcome: "IMAGE_NOT_FOUND",
    also: ({ registry }) => expect(registry.count(/^GET .*\/manifests\//)).toBe(2),
  });
  testFault("of too little scope, once", {
    registry: { auth: TOKEN },
    faults: ({ registry }) => [
      refuse(registry, 'scope="repository:app:pull,list",error="insufficient_scope"', 1),
    ],
    outcome: "the image",
    also: ({ registry }) =>
      expect(registry.requests.find(({ server }) => server === "token")?.path).toContain("app%3Apull%2Clist"),
  });
  testFault("scope order: what the challenge lacks is asked for first", {
    registry: { auth: TOKEN },
    faults: ({ registry }) => [refuse(registry, 'scope="repository:other:pull"', 1)],
    outcome: "the image",
    also: ({ registry }) => {
      const asked = registry.requests.find(({ server }) => server === "token");
      const scopes = new URL(asked?.path ?? "", registry.url).searchParams.getAll("scope");
      expect(scopes).toEqual(["repository:other:pull", "repository:app:pull"]);
    },
  });
  const realms: ReadonlyArray<readonly [string, (registry: FakeRegistry) => string, FaultRow["outcome"]]> = [
    ["another host", ({ url }) => `${url.replace("127.0.0.1", "localhost")}/token`, "the image"],
    ["a private address", () => "http://10.0.0.1/token", "REGISTRY_PROTOCOL"],
    ["a link-local address", () => "http://169.254.169.254/token", "REGISTRY_PROTOCOL"],
    ["a file", () => "file:///etc/passwd", "REGISTRY_PROTOCOL"],
    ["nonsense", () => "token", "REGISTRY_PROTOCOL"],
  ];
  for (const [what, realm, outcome] of realms)
    testFault(`whose realm is on ${what}`, {
      registry: { auth: PRIVATE },
      client: ({ registry }) => ({
        credentials: { [registry.host]: { type: "password", username: "me", password: "secret" } },
      }),
      faults: ({ registry }) => [realmAt(registry, realm(registry))],
      outcome,
    });
});

describe.skipIf(reason !== undefined)(`HEAD (${reason ?? "as root"})`, () => {
  const faults: ReadonlyArray<readonly [string, () => Fault]> = [
    ["405", () => status(405, { on: /^HEAD/ })],
    ["404", () => status(404, { on: /^HEAD/ })],
    ["501", () => status(501, { on: /^HEAD/ })],
    ["no digest", () => headers({ on: /^HEAD/ }, { "Docker-Content-Digest": undefined })],
    [
      "a digest that is a path",
      () => headers({ on: /^HEAD/ }, { "Docker-Content-Digest": "sha256:../../etc" }),
    ],
  ];
  for (const [what, fault] of faults)
    test(`unsupported: with ${what} a second pull asks by GET`, async () => {
      await using sandbox = PullSandbox.serve({ "app:latest": app });
      await sandbox.pull();
      const before = sandbox.content();
      sandbox.registry.reset();
      sandbox.registry.break(fault());

      const { image } = await sandbox.pull();

      expect<string>(image.manifestDigest).toBe(app.digest);
      expect([count(sandbox, "HEAD"), count(sandbox, "GET")]).toEqual([1, 1]);
      expect(sandbox.content()).toEqual(before);
    });
});

describe.skipIf(reason !== undefined)(`the quota that a pull costs (${reason ?? "as root"})`, () => {
  const small = (text: string) => buildImage({ layers: [{ entries: [{ name: "a", data: text }] }] });
  const index = buildIndex({ images: [small("one")], attestations: true });

  test("is one GET of the index and one of the manifest, at first", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });

    await sandbox.pull();

    const asked = sandbox.registry.requests.filter(({ path }) => path.includes("/manifests/"));
    expect(asked.map(({ method }) => method)).toEqual(["GET", "GET"]);
    expect(asked[1]?.path).toContain("/manifests/sha256:");
  });

  test("is nothing for an unchanged tag: exactly one HEAD", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });
    await sandbox.pull();
    sandbox.registry.reset();

    const { status: state } = await sandbox.pull();

    expect(state).toBe("up-to-date");
    expect(sandbox.registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/app/manifests/latest",
    ]);
  });

  test("is nothing for a digest that is here: no request at all", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });
    const reference = sandbox.reference(`app@${index.digest}`);
    await sandbox.pull({ reference });
    sandbox.registry.reset();

    await sandbox.pull({ reference });

    expect(sandbox.registry.requests).toEqual([]);
  });

  test("is nothing for another tag of an image that is here: one HEAD", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index, "app:other": index });
    await sandbox.pull();
    sandbox.registry.reset();

    const { image } = await sandbox.pull({ reference: sandbox.reference("app:other") });

    expect<string>(image.targetDigest).toBe(index.digest);
    expect(sandbox.registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/app/manifests/other",
    ]);
  });

  test("is one GET for a new index whose image for this platform is here", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });
    await sandbox.pull();
    const image = small("one");
    const foreign = buildImage({
      layers: [{ entries: [{ name: "b" }] }],
      platform: { os: "linux", architecture: "s390x" },
    });
    sandbox.registry.add("app:latest", buildIndex({ images: [foreign, image] }));
    sandbox.registry.reset();

    await sandbox.pull();

    expect(sandbox.registry.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/app/manifests/latest",
      "GET /v2/app/manifests/latest",
    ]);
  });

  test("is paid again when what is here has been damaged", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index, "app:other": index });
    await sandbox.pull();
    const path = `${sandbox.root}/blobs/${index.digest.replace(":", "/")}`;
    rmSync(path);
    writeFileSync(path, "damaged");
    sandbox.registry.reset();

    const { image } = await sandbox.pull({ reference: sandbox.reference("app:other") });

    expect<string>(image.targetDigest).toBe(index.digest);
    expect([count(sandbox, "HEAD"), count(sandbox, "GET")]).toEqual([1, 1]);
  });

  test("is that of the new image alone for a tag that has moved", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });
    await sandbox.pull();
    sandbox.registry.add("app:latest", small("two"));
    sandbox.registry.reset();

    await sandbox.pull();

    expect([count(sandbox, "HEAD"), count(sandbox, "GET")]).toEqual([1, 1]);
  });

  test("is known after a pull, and after one that was up to date", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });

    const first = await sandbox.pull();
    const second = await sandbox.pull();

    for (const { quota } of [first, second])
      expect(quota).toEqual({ limit: 100, remaining: 99, windowSeconds: 21_600 });
  });

  test("is told in the error when it is spent, with the ways out", async () => {
    await using sandbox = PullSandbox.serve({ "app:latest": index });
    const spent = {
      "ratelimit-limit": "100;w=21600",
      "ratelimit-remaining": "0;w=21600",
      "Retry-After": "3600",
    };
    sandbox.registry.break(status(429, { on: MANIFESTS, headers: spent }));

    const error = await sandbox.pull().catch((failure: unknown) => failure);

    expect(error).toMatchObject({ code: "REGISTRY_RATE_LIMITED" });
    expect(String(error)).toContain("0 of 100 pulls are left within 6 hours");
    expect((error as { hint: string }).hint).toMatch(/in 3600 s.*bunker login.*"mirrors"/);
  });
});

describe("a mirror that is asked first", () => {
  test("costs nothing of the quota of the registry", async () => {
    await using mirror = serveRegistry({ images: { app } });
    await using sandbox = PullSandbox.serve({ "app:latest": app });
    const registries = { [sandbox.registry.host]: { mirrors: [mirror.url] } };

    await sandbox.pull({ client: { registries } });

    expect(sandbox.registry.requests).toEqual([]);
    expect(mirror.count(BLOBS)).toBe(3);
  });
});

function count({ registry }: PullSandbox, method: "GET" | "HEAD"): number {
  return registry.count(new RegExp(`^${method} .*/manifests/`));
}

function token(text: string): Fault {
  return replace({ server: "token" }, () => Response.json({ token: text }));
}

function refuse(registry: FakeRegistry, more: string, times?: number): Fault {
  const realm = `Bearer realm="${registry.url}/token",service="registry.test"`;
  const match = { on: MANIFESTS, ...(times === undefined ? {} : { times }) };
  return status(401, { ...match, headers: { "WWW-Authenticate": `${realm},${more}` } });
}

/** Expires all tokens once, just before the first request of a kind. */
function expireBefore(registry: FakeRegistry, on: RegExp): Fault {
  return {
    takes: ({ method, path }) => on.test(`${method} ${path}`),
    reply: (() => {
      let isOver = false;
      return async (_: Request, next: () => Promise<Response>) => {
        if (!isOver) registry.auth.expireAll();
        isOver = true;
        return next();
      };
    })(),
  };
}

/** Names another realm until the faults are removed. */
function realmAt(registry: FakeRegistry, realm: string): Fault {
  return replace({ on: MANIFESTS }, (right) => {
    const changed = new Headers(right.headers);
    const own = right.headers.get("www-authenticate");
    if (own !== null) changed.set("WWW-Authenticate", own.replace(`${registry.url}/token`, realm));
    return new Response(right.body, { status: right.status, headers: changed });
  });
}
