/** Where redirects lead, and what goes along: row by row, as faults.test.ts. */
import { describe, expect } from "bun:test";
import { Authorities, hasOpenssl } from "../helpers/authority.ts";
import type { FakeRegistry } from "../helpers/fake_registry.ts";
import { app, type FaultRow, testFault } from "../helpers/fault_rows.ts";
import { BLOBS, cut, type Fault, redirect, replace, status } from "../helpers/registry_faults.ts";
import { whyMissing } from "../helpers/requires.ts";

const AUTH = { type: "token", users: { me: "secret" }, private: ["app"] } as const;
const SECOND = { registry: { auth: AUTH, blobRedirects: true }, client: asMe } as const;
const GET_MANIFEST = /^GET .*\/manifests\//;
const LARGE = new RegExp(`^GET .*${app.layers[0]?.descriptor.digest}`);
const reason = whyMissing(["root"]);

describe.skipIf(reason !== undefined)(`a redirect of a layer (${reason ?? "as root"})`, () => {
  for (const code of [301, 302, 303, 307, 308])
    testFault(`to a second origin with ${code}, which sees neither token nor cookie`, {
      ...SECOND,
      faults: () => [
        replace({ on: BLOBS, server: "registry" }, (right) => {
          const location = right.headers.get("location");
          if (location === null) return right;
          const headers = { Location: location, "Set-Cookie": "session=secret" };
          return new Response(null, { status: code, headers });
        }),
      ],
      outcome: "the image",
      also: ({ registry }) => expect(secretsAt(registry)).toEqual([]),
    });
  testFault("to a second origin that wants a login, which is not given", {
    ...SECOND,
    faults: () => [status(401, { server: "cdn", headers: { "WWW-Authenticate": 'Basic realm="give me"' } })],
    outcome: "REGISTRY_UNAUTHORIZED",
    also: ({ registry }) => expect(secretsAt(registry)).toEqual([]),
  });
  testFault("to a second origin, whose address is asked for anew after a break", {
    ...SECOND,
    faults: () => [cut(1_500_000, { server: "cdn", on: LARGE, times: 1 })],
    outcome: "the image",
    also: ({ registry }) => {
      const asked = registry.requests.filter(({ method, path }) => LARGE.test(`${method} ${path}`));
      expect(asked.map(({ server }) => server)).toEqual(["registry", "cdn", "registry", "cdn"]);
      expect(secretsAt(registry)).toEqual([]);
    },
  });
  const rows: ReadonlyArray<readonly [string, (registry: FakeRegistry) => Fault, RegExp]> = [
    ["loop: to itself", () => again(BLOBS), /more than 10 redirects/],
    ["loop: between two origins", () => pingPong(), /more than 10 redirects/],
    ["to a file", () => redirect("file:///etc/passwd", { on: BLOBS }), /not allowed/],
    [
      "to a service of this cloud",
      () => redirect("http://169.254.169.254/latest", { on: BLOBS }),
      /not allowed/,
    ],
    ["without a target", () => status(307, { on: BLOBS }), /without a target/],
    ["to nonsense", () => redirect("http://[", { on: BLOBS }), /without a target/],
  ];
  for (const [what, fault, message] of rows)
    testFault(what, {
      faults: ({ registry }) => [fault(registry)],
      outcome: "REGISTRY_PROTOCOL",
      also: (_, error) => expect(error?.message).toMatch(message),
    });
});

describe.skipIf(reason !== undefined)(`a redirect of a manifest (${reason ?? "as root"})`, () => {
  testFault("loop", { faults: () => [again(GET_MANIFEST)], outcome: "REGISTRY_PROTOCOL" });
  testFault("within the registry, with the token", {
    registry: { auth: AUTH },
    client: asMe,
    faults: () => [
      replace({ on: /^GET [^?]*\/manifests\/[^?]*$/ }, (right, request) =>
        right.status === 401
          ? right
          : new Response(null, { status: 307, headers: { Location: `${request.url}?again` } }),
      ),
    ],
    outcome: "the image",
    also: ({ registry }) => {
      const again = registry.requests.find(({ path }) => path.endsWith("?again"));
      expect(again?.headers["authorization"]).toStartWith("Bearer ");
    },
  });
});

describe.skipIf(reason !== undefined || !hasOpenssl)(`https (${reason ?? "as root, with openssl"})`, () => {
  if (!hasOpenssl) return;
  using authorities = new Authorities();
  const authority = authorities.create("authority");
  const tls = authorities.sign("server", authority);
  for (const [part, on] of [
    ["a manifest", GET_MANIFEST],
    ["a layer", BLOBS],
  ] as const)
    testFault(`https→http: a redirect of ${part} to plain text`, {
      registry: { tls },
      client: () => ({ certificates: { hosts: {}, system: [authority.cert] } }),
      faults: () => [redirect("http://127.0.0.1:1/x", { on })],
      outcome: "REGISTRY_PROTOCOL",
      also: (_, error) => expect(error?.message).toContain("which is not allowed"),
    });
});

function asMe({
  registry,
}: {
  readonly registry: FakeRegistry;
}): ReturnType<NonNullable<FaultRow["client"]>> {
  return { credentials: { [registry.host]: { type: "password", username: "me", password: "secret" } } };
}

/** What the second origin has seen and should not. */
function secretsAt({ requests }: FakeRegistry): string[] {
  const seen = requests.filter(({ server }) => server === "cdn").map(({ headers }) => headers);
  expect(seen.length).toBeGreaterThan(0);
  return seen.flatMap((headers) => ["authorization", "cookie"].filter((name) => headers[name] !== undefined));
}

function again(on: RegExp): Fault {
  return replace(
    { on },
    (_, request) => new Response(null, { status: 307, headers: { Location: request.url } }),
  );
}

/** `localhost` and `127.0.0.1` are two origins. */
function pingPong(): Fault {
  return replace({ on: BLOBS }, (_, request) => {
    const url = new URL(request.url);
    url.hostname = url.hostname === "localhost" ? "127.0.0.1" : "localhost";
    return new Response(null, { status: 307, headers: { Location: url.href } });
  });
}
