import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { type BlobRequest, openBlob } from "../../src/registry/blob.ts";
import type { RegistryClient } from "../../src/registry/client.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { sha256Digest } from "../helpers/image_builder.ts";
import {
  BLOBS,
  cut,
  drip,
  type Fault,
  headers,
  ignoreRange,
  overrun,
  redirect,
  replace,
  shorten,
  stall,
  status,
} from "../helpers/registry_faults.ts";
import {
  appOf,
  fetchInWorker,
  impatientClient,
  noisyImage,
  registryErrorOf,
} from "../helpers/registry_fixture.ts";

const LAYER_BYTES = 3_000_000;
const SECRET = /sig=secret|Bearer|[0-9a-f]{8}-[0-9a-f]{4}-4/;

let registry: FakeRegistry;
let client: RegistryClient;
let layer: Descriptor;

beforeAll(async () => {
  registry = serveRegistry({
    images: { app: noisyImage(LAYER_BYTES) },
    auth: { type: "token" },
    blobRedirects: true,
  });
  client = impatientClient();
  const { manifest } = await client.resolve(appOf(registry));
  layer = manifest.layers[0] as Descriptor;
});

beforeEach(() => registry.reset());
afterAll(() => registry.stop());

describe("openBlob()", () => {
  test("yields exactly the bytes of the digest", async () => {
    const bytes = await read();

    expect(bytes.length).toBe(layer.size);
    expect(sha256Digest(bytes)).toBe(`${layer.digest}`);
  });

  test("sends the token to the registry and not to the origin of a redirect", async () => {
    await read();

    const [first, second] = registry.requests;
    expect([first?.server, second?.server]).toEqual(["registry", "cdn"]);
    expect(first?.headers["authorization"]).toStartWith("Bearer ");
    expect(second?.headers["authorization"]).toBeUndefined();
    expect(second?.headers["cookie"]).toBeUndefined();
  });

  test("keeps the token on a redirect within the registry", async () => {
    const path = `/v2/app/blobs/${layer.digest}`;
    registry.break(redirect(`${registry.url}${path}?again`, { on: /blobs\/[^?]*$/, times: 1 }));

    await read();

    expect(registry.requests.slice(0, 2).map(({ headers }) => headers["authorization"]?.slice(0, 7))).toEqual(
      ["Bearer ", "Bearer "],
    );
  });

  test("yields the bytes as they are whatever Content-Encoding says", async () => {
    registry.break(headers({ on: BLOBS, server: "cdn" }, { "Content-Encoding": "gzip" }));

    expect(sha256Digest(await read())).toBe(`${layer.digest}`);
  });

  test("goes on where a connection broke", async () => {
    registry.break(cut(2_000_000, { on: BLOBS, server: "cdn", times: 1 }));

    const bytes = await read();

    expect(sha256Digest(bytes)).toBe(`${layer.digest}`);
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=[1-9][0-9]*-$/)]);
  });

  test("skips what it has when the server ignores Range", async () => {
    registry.break(cut(2_000_000, { on: BLOBS, server: "cdn", times: 1 }), ignoreRange({ server: "cdn" }));

    expect(sha256Digest(await read())).toBe(`${layer.digest}`);
  });

  test("goes on after a body that ends early, and after one that stalls", async () => {
    registry.break(
      shorten(1_000_000, { on: BLOBS, server: "cdn", times: 1 }),
      stall(500_000, { on: BLOBS, server: "cdn", times: 1 }),
    );

    expect(sha256Digest(await read())).toBe(`${layer.digest}`);
  });

  test("gives up after a few breaks without progress", async () => {
    registry.break(cut(1000, { on: BLOBS, server: "cdn" }));

    const error = await registryErrorOf(read());

    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(registry.count(/data/)).toBe(5);
  });

  test("survives any number of breaks that leave a megabyte each", async () => {
    registry.break(cut(1_100_000, { on: BLOBS, server: "cdn", times: 2 }));

    const bytes = await read(await request({ retry: { attemptCountMax: 2 } }));

    expect(sha256Digest(bytes)).toBe(`${layer.digest}`);
  });

  test("reads a slow body to its end: only silence is limited", async () => {
    registry.break(drip(500_000, 100, { on: BLOBS, server: "cdn" }));

    expect((await read()).length).toBe(layer.size);
  });

  test("lets its consumer take longer than the silence that is allowed", async () => {
    const reader = (await openBlob(await request())).getReader();

    const first = await reader.read();
    await Bun.sleep(450);
    let size = first.value?.length ?? 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) size += part.value.length;

    expect(size).toBe(layer.size);
  });

  test.each<[string, () => Fault]>([
    ["more bytes than its size, announced", () => replaceBody(new Uint8Array(LAYER_BYTES * 2))],
    ["fewer bytes than its size, announced", () => replaceBody(new Uint8Array(10))],
    [
      "more bytes than its size, not announced",
      () => overrun(new Uint8Array(100), { on: BLOBS, server: "cdn" }),
    ],
    ["a body without end", () => endless()],
  ])("refuses %s", async (_, fault) => {
    registry.break(fault());

    const error = await registryErrorOf(read());

    expect(error.code).toBe("CONTENT_MISMATCH");
  });

  test("refuses a part that begins later than asked", async () => {
    registry.break(
      cut(1_500_000, { on: BLOBS, server: "cdn", times: 1 }),
      replace({ on: BLOBS, server: "cdn" }, async (right) => {
        const changed = {
          status: 206,
          headers: { "Content-Range": `bytes ${layer.size - 1}-${layer.size - 1}/*` },
        };
        return new Response((await right.bytes()).slice(-1), changed);
      }),
    );

    expect((await registryErrorOf(read())).code).toMatch(/REGISTRY_PROTOCOL|CONTENT_MISMATCH/);
  });

  test.each<[string, () => Fault, RegExp]>([
    [
      "ten redirects in a circle",
      () => redirect("/v2/app/blobs/again", { on: /blobs/ }),
      /more than 10 redirects/,
    ],
    ["a redirect to another scheme", () => redirect("file:///etc/passwd", { on: /blobs/ }), /not allowed/],
    ["a redirect to link-local", () => redirect("http://169.254.169.254/x", { on: /blobs/ }), /not allowed/],
    ["a redirect without a target", () => status(307, { on: /blobs/ }), /without a target/],
  ])("refuses %s", async (_, fault, message) => {
    registry.break(fault());

    const error = await registryErrorOf(read());

    expect(error.code).toBe("REGISTRY_PROTOCOL");
    expect(error.message).toMatch(message);
  });

  test("does not answer a challenge of the origin of a redirect", async () => {
    const challenge = { "WWW-Authenticate": 'Basic realm="give me"' };
    registry.break(status(401, { on: /data/, headers: challenge }));

    const error = await registryErrorOf(read());

    expect(error.status).toBe(401);
    expect(registry.count(/data/)).toBe(1);
    expect(registry.count(/token/)).toBe(0);
  });

  test("renews a token that expired between manifest and blob", async () => {
    const stale = await request();
    registry.auth.expireAll();

    const bytes = await read(stale);

    expect(sha256Digest(bytes)).toBe(`${layer.digest}`);
    expect(registry.count(/^GET \/token/)).toBe(1);
  });

  test("fails when a fresh token is refused, too", async () => {
    registry.break(
      status(401, { on: /blobs/, headers: { "WWW-Authenticate": `Bearer realm="${registry.url}/token"` } }),
    );

    const error = await registryErrorOf(read());

    expect(error.status).toBe(401);
    expect(registry.count(/blobs/)).toBe(2);
  });

  test("ends the connection when the stream is cancelled", async () => {
    registry.break(drip(1000, 20, { on: BLOBS, server: "cdn" }));
    const reader = (await openBlob(await request())).getReader();
    await reader.read();

    await reader.cancel();

    expect((await reader.read()).done).toBe(true);
  });

  test("ends at once when the stream is cancelled while nothing comes", async () => {
    registry.break(stall(1000, { on: BLOBS, server: "cdn" }));
    const patient = impatientClient({ timeouts: { stallMs: 40_000 } });
    await patient.findTarget(appOf(registry));
    const reader = (await patient.openBlob(appOf(registry), layer)).getReader();
    await reader.read();
    const start = performance.now();
    const pending = reader.read();

    await reader.cancel();

    expect(performance.now() - start).toBeLessThan(20_000);
    expect((await pending).done).toBe(true);
  });

  test("ends with the signal's reason in the middle of the body", async () => {
    registry.break(drip(1000, 20, { on: BLOBS, server: "cdn" }));
    const controller = new AbortController();
    const stream = await openBlob(await request(), controller.signal);

    setTimeout(() => controller.abort(new Error("enough")), 50);

    await expect(new Response(stream).bytes()).rejects.toThrow("enough");
  });

  test("puts neither token nor signature into a message", async () => {
    const faults = [
      status(403, { on: /data/ }),
      cut(10, { on: /data/ }),
      stall(10, { on: /data/ }),
      status(500),
    ];
    const texts: string[] = [];

    for (const fault of faults) {
      registry.reset();
      registry.break(fault);
      // Each needs the registry to itself.
      const error = await registryErrorOf(read());
      texts.push(`${error.message} ${error.hint} ${Bun.inspect(error.cause)}`);
    }

    expect(texts).toHaveLength(4);
    for (const text of texts) expect(text).not.toMatch(SECRET);
  });

  test("works in a Worker from a request that was posted there", async () => {
    const stale = await request();
    registry.auth.expireAll();

    const digest = await fetchInWorker(stale);

    expect(digest).toBe(`${layer.digest}`);
  });
});

async function request(options: Parameters<typeof impatientClient>[0] = {}): Promise<BlobRequest> {
  const own = options.retry === undefined ? client : impatientClient(options);
  return own.blobRequest(appOf(registry), layer);
}

async function read(blob?: BlobRequest): Promise<Uint8Array> {
  return new Response(await openBlob(blob ?? (await request()))).bytes();
}

function ranges(): (string | undefined)[] {
  return registry.requests.filter(({ server }) => server === "cdn").map((each) => each.headers["range"]);
}

function replaceBody(body: Uint8Array<ArrayBuffer>): Fault {
  return replace({ on: BLOBS, server: "cdn" }, () => new Response(body));
}

function endless(): Fault {
  return replace({ on: BLOBS, server: "cdn" }, () => {
    const pull = (controller: ReadableStreamDefaultController): void =>
      controller.enqueue(new Uint8Array(65_536));
    return new Response(new ReadableStream({ pull }));
  });
}
