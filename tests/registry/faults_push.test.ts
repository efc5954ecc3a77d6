/** What a registry can do wrong while it is written to, row by row: an upload ends in an error with a code, or it is whole. */
import { describe, expect, test } from "bun:test";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { digestOfBytes } from "../../src/oci/digest.ts";
import { parseReference } from "../../src/oci/reference.ts";
import type { RegistryErrorCode } from "../../src/registry/registry_error.ts";
import { RepositoryWriter, type WriterOptions } from "../../src/registry/writer.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { type Fault, hang, headers, replace, status } from "../helpers/registry_faults.ts";
import { noise, registryErrorOf } from "../helpers/registry_fixture.ts";

const bytes = noise(300_000);
const blob: Descriptor = {
  mediaType: "application/octet-stream",
  digest: digestOfBytes(bytes),
  size: bytes.length,
};
const AUTH = { type: "basic", users: { me: "secret" } } as const;
/** No row takes longer. */
const BOUND_MS = 60_000;

describe("an upload that is redirected", () => {
  for (const code of [307, 308])
    for (const method of ["POST", "PUT", "PATCH"])
      test(
        `${method} with ${code} to another origin goes on there, without the password`,
        async () => {
          await using registry = serveRegistry({ auth: AUTH });
          registry.break(elsewhere(registry, method, code));

          await upload(registry, { inPieces: method === "PATCH" });

          expect(registry.content("app")?.blobs.get(blob.digest)).toEqual(Buffer.from(bytes));
          const there = registry.requests.filter(({ server }) => server === "cdn");
          expect(there.map((request) => request.method)).toContain(method);
          expect(there.filter((request) => "authorization" in request.headers)).toEqual([]);
        },
        BOUND_MS,
      );
  const rows: ReadonlyArray<readonly [string, RegExp, (request: Request) => string, RegExp]> = [
    ["PUT in a circle", /^PUT /, ({ url }) => url, /more than 10 redirects/],
    ["PUT to a service of this cloud", /^PUT /, () => "http://169.254.169.254/x", /not allowed/],
    ["POST to a file", /^POST /, () => "file:///etc/passwd", /not allowed/],
    ["POST without a target", /^POST /, () => "http://[", /without a target/],
  ];
  for (const [what, on, target, message] of rows)
    test(
      `${what} ends in an error`,
      async () => {
        await using registry = serveRegistry();
        registry.break(
          replace(
            { on },
            (_, request) => new Response(null, { status: 307, headers: { Location: target(request) } }),
          ),
        );

        const error = await registryErrorOf(upload(registry));

        expect(error.code).toBe("REGISTRY_PROTOCOL");
        expect(error.message).toMatch(message);
      },
      BOUND_MS,
    );
  test("PUT with 302, which would lose the body, is not followed", async () => {
    await using registry = serveRegistry();
    registry.break(status(302, { on: /^PUT /, headers: { Location: `${registry.cdnUrl}/x` } }));

    const error = await registryErrorOf(upload(registry));

    expect([error.code, error.status]).toEqual(["REGISTRY_FAILED", 302]);
    expect(registry.requests.filter(({ server }) => server === "cdn")).toEqual([]);
  });
});

describe("the place of an upload", () => {
  const rows: ReadonlyArray<readonly [string, string | undefined]> = [
    ["that is missing", undefined],
    ["that is nonsense", "http://["],
    ["in a service of this cloud", "http://169.254.169.254/upload"],
    ["that is a file", "file:///etc/passwd"],
  ];
  for (const [what, location] of rows)
    test(
      `${what} is an error, and nothing is sent`,
      async () => {
        await using registry = serveRegistry();
        registry.break(headers({ on: /^POST / }, { Location: location }));

        const error = await registryErrorOf(upload(registry));

        expect(error.code).toBe("REGISTRY_PROTOCOL");
        expect(registry.count(/^(?:PUT|PATCH) /)).toBe(0);
      },
      BOUND_MS,
    );
});

describe("an upload that the registry answers with", () => {
  const rows: ReadonlyArray<readonly [number, RegistryErrorCode]> = [
    [401, "REGISTRY_UNAUTHORIZED"],
    [403, "REGISTRY_DENIED"],
    [404, "REGISTRY_FAILED"],
    [429, "REGISTRY_RATE_LIMITED"],
    [500, "REGISTRY_FAILED"],
    [503, "REGISTRY_FAILED"],
  ];
  for (const [code, expected] of rows)
    for (const method of ["POST", "PUT"])
      test(
        `${code} to ${method} each time: ${expected}`,
        async () => {
          await using registry = serveRegistry();
          registry.break(status(code, { on: new RegExp(`^${method} `) }));

          const error = await registryErrorOf(upload(registry));

          expect([error.code, error.status]).toEqual([expected, code]);
          expect(registry.content("app")?.blobs.size ?? 0).toBe(0);
        },
        BOUND_MS,
      );
  for (const code of [429, 500, 503])
    test(
      `${code} once, and then as ever: the whole blob`,
      async () => {
        await using registry = serveRegistry();
        registry.break(status(code, { on: /^(?:POST|PUT) /, times: 2, headers: { "Retry-After": "0" } }));

        await upload(registry);

        expect(registry.content("app")?.blobs.get(blob.digest)).toEqual(Buffer.from(bytes));
      },
      BOUND_MS,
    );
  test.each(["POST", "PATCH", "PUT"])(
    "nothing at all to %s: an error in time",
    async (method) => {
      await using registry = serveRegistry();
      registry.break(hang({ on: new RegExp(`^${method} `) }));

      const error = await registryErrorOf(upload(registry, { inPieces: method === "PATCH" }));

      expect(error.code).toBe("REGISTRY_UNREACHABLE");
    },
    BOUND_MS,
  );
  test(
    "404 to a piece in its middle, once: the whole blob, by another upload",
    async () => {
      await using registry = serveRegistry();
      registry.break(status(404, { on: /^PATCH /, after: 1, times: 1 }));

      await upload(registry, { inPieces: true });

      expect(registry.content("app")?.blobs.get(blob.digest)).toEqual(Buffer.from(bytes));
      expect(registry.count(/^POST /)).toBe(2);
    },
    BOUND_MS,
  );
  test(
    "201 after a time in which it moves what came: the whole blob",
    async () => {
      await using registry = serveRegistry();
      registry.break(
        replace({ on: /^PUT / }, async (right) => {
          await Bun.sleep(1500);
          return right;
        }),
      );

      await upload(registry, { timeouts: { responseMs: 500, commitMs: BOUND_MS } });

      expect(registry.content("app")?.blobs.get(blob.digest)).toEqual(Buffer.from(bytes));
      expect(registry.count(/^PUT /)).toBe(1);
    },
    BOUND_MS,
  );
  for (const size of [0, 1, 2])
    test.each([false, true])(
      `everything that comes, of a blob of ${size} bytes, in pieces: %p`,
      async (inPieces) => {
        await using registry = serveRegistry();
        const content = bytes.subarray(0, size);
        const small = { ...blob, digest: digestOfBytes(content), size };
        const writer = new RepositoryWriter(parseReference(`${registry.host}/app`), { inPieces });

        await writer.pushBlob(small, (start, end) => new Blob([content.subarray(start, end)]).stream());

        expect(registry.content("app")?.blobs.get(small.digest)).toEqual(Buffer.from(content));
      },
    );
});

async function upload(registry: FakeRegistry, options: WriterOptions = {}): Promise<void> {
  const writer = new RepositoryWriter(parseReference(`${registry.host}/app`), {
    credentials: { [registry.host]: { type: "password", username: "me", password: "secret" } },
    retry: { firstDelayMs: 5, totalDelayMsMax: 500 },
    timeouts: { connectMs: 500, responseMs: 500, stallMs: 500, commitMs: 500 },
    pieceBytes: 100_000,
    ...options,
  });
  await writer.pushBlob(blob, (start, end) => new Blob([bytes.subarray(start, end)]).stream());
}

/** Sends authorised requests of a kind to the same path of the second origin, which handles uploads too. */
function elsewhere({ cdnUrl }: FakeRegistry, method: string, code: number): Fault {
  return {
    takes: (request) =>
      request.server === "registry" && request.method === method && "authorization" in request.headers,
    reply: ({ url }) => {
      const { pathname, search } = new URL(url);
      return new Response(null, { status: code, headers: { Location: `${cdnUrl}${pathname}${search}` } });
    },
  };
}
