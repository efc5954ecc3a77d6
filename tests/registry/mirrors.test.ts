/** Mirrors that fail, lie, or break off: the next is asked, and the image is right or nothing is stored. */
import { describe, expect, test } from "bun:test";
import { parseReference } from "../../src/oci/reference.ts";
import { parseRegistriesConfig } from "../../src/registry/registries_config.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage, sha256Digest } from "../helpers/image_builder.ts";
import { PullSandbox } from "../helpers/pull_sandbox.ts";
import { BLOBS, corrupt, cut, type Fault, MANIFESTS, mapBody, status } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, noise, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";
import { whyMissing } from "../helpers/requires.ts";

const small = noisyImage(10_000);
/** Large enough for a lane, and for a break in its middle that leaves progress. */
const large = buildImage({
  layers: [{ entries: [{ name: "noise", data: noise(7_000_000) }] }, { entries: [{ name: "a", data: "a" }] }],
});
const reason = whyMissing(["root"]);

describe("a mirror", () => {
  test.each<[string, () => Fault]>([
    ["lacks the image", () => status(404)],
    ["is broken", () => status(500)],
    ["denies access", () => status(403)],
    ["wants a login", () => status(401, { headers: { "WWW-Authenticate": 'Basic realm="mine"' } })],
    ["allows no more", () => status(429, { headers: { "Retry-After": "3600" } })],
    [
      "has another manifest",
      () => mapBody({ on: MANIFESTS }, (bytes) => Buffer.concat([bytes, Buffer.of(32)])),
    ],
    ["has a damaged config", () => corrupt({ on: BLOBS })],
    ["has no manifest but HTML", () => status(200, { on: MANIFESTS, body: "<html>" })],
  ])("that %s is passed over", async (_, fault) => {
    await using mirror = serveRegistry({ images: { app: small } });
    await using itself = serveRegistry({ images: { app: small } });
    mirror.break(fault());

    const resolved = await impatientClient({ registries: mirroring(itself, mirror) }).resolve(appOf(itself));

    expect(`${resolved.manifestDigest}`).toBe(small.digest);
  });

  test("that breaks off for good in the middle of a blob is followed by the next, at the byte where it broke", async () => {
    await using mirror = serveRegistry({ images: { app: large } });
    await using itself = serveRegistry({ images: { app: large } });
    const client = impatientClient({ registries: mirroring(itself, mirror), retry: { attemptCountMax: 2 } });
    const { manifest } = await client.resolve(appOf(itself));
    const [layer] = manifest.layers;
    mirror.break(cut(500_000, { on: BLOBS, times: 1 }), status(404, { on: BLOBS }));

    const stream = await client.openBlob(appOf(itself), layer as NonNullable<typeof layer>);
    const bytes = await new Response(stream).bytes();

    expect(sha256Digest(bytes)).toBe(`${layer?.digest}`);
    const [first] = itself.requests.filter(({ path }) => path.includes("/blobs/"));
    expect(Number(/^bytes=([0-9]+)-$/.exec(first?.headers["range"] ?? "")?.[1])).toBeGreaterThan(0);
  });
});

describe.skipIf(reason !== undefined)(`a pull by way of a mirror (${reason ?? "runs"})`, () => {
  test.each<[string, () => Fault]>([
    ["that flips a bit of each layer", () => corrupt({ on: BLOBS, at: 100 })],
    [
      "that sends other bytes of the same length",
      () => mapBody({ on: BLOBS }, (bytes) => bytes.map(() => 7)),
    ],
    ["that sends a byte less", () => mapBody({ on: BLOBS }, (bytes) => bytes.subarray(1))],
  ])("%s takes the layers from the registry itself", async (_, fault) => {
    await using sandbox = PullSandbox.serve({ app: large });
    await using mirror = serveRegistry({ images: { app: large } });
    mirror.break(fault());

    const { image } = await sandbox.pull({ client: clientOptions(sandbox.registry, mirror) });

    expect(image.layers).toHaveLength(2);
    expect(sandbox.content().filter((path) => path.startsWith("tmp/"))).toEqual([]);
    expect(mirror.count(/^GET .*\/blobs\//)).toBeGreaterThanOrEqual(3);
  });

  test("stores nothing when the registry itself lies, too", async () => {
    await using sandbox = PullSandbox.serve({ app: large });
    await using mirror = serveRegistry({ images: { app: large } });
    const [layer] = large.layers;
    for (const each of [mirror, sandbox.registry])
      each.break(corrupt({ on: new RegExp(`${layer?.descriptor.digest}`), at: 100 }));

    const pulling = sandbox.pull({ client: clientOptions(sandbox.registry, mirror) });

    await expect(pulling).rejects.toMatchObject({ code: "CONTENT_MISMATCH" });
    expect(sandbox.content()).toEqual([]);
  });
});

describe("mirrors", () => {
  test("serve an image of Docker Hub that is asked for by its short name", async () => {
    const image = noisyImage();
    await using mirror = serveRegistry({
      images: { "library/alpine:latest": image },
      auth: { type: "token" },
    });
    const client = impatientClient({ registries: mirrorsOf("docker.io", mirror.url) });

    const resolved = await client.resolve(parseReference("alpine"));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });

  test("are passed over when they lack the image or are down, and the blobs come from where the manifest came from", async () => {
    const image = noisyImage();
    await using empty = serveRegistry();
    await using broken = serveRegistry({ images: { app: image } });
    await using itself = serveRegistry({ images: { app: image } });
    broken.break(status(500));
    const gone = `http://127.0.0.1:${await closedPort()}`;
    const client = impatientClient({ registries: mirrorsOf(itself.host, gone, empty.url, broken.url) });

    const resolved = await client.resolve(appOf(itself));
    const [layer] = resolved.manifest.layers;
    const stream = await client.openBlob(appOf(itself), layer as NonNullable<typeof layer>);

    expect(sha256Digest(await new Response(stream).bytes())).toBe(image.layers[0]?.descriptor.digest ?? "");
    expect([empty.count(/blobs/), broken.count(/blobs/)]).toEqual([0, 0]);
  });

  test("that lack a blob are passed over, too", async () => {
    const image = noisyImage();
    await using mirror = serveRegistry({ images: { app: image } });
    await using itself = serveRegistry({ images: { app: image } });
    mirror.break(status(404, { on: /blobs/ }));
    const client = impatientClient({ registries: mirrorsOf(itself.host, mirror.url) });

    await client.resolve(appOf(itself));

    expect([mirror.count(/manifests/), itself.count(/manifests/), itself.count(/blobs/)]).toEqual([1, 0, 1]);
  });

  test("tell what is missing when the registry itself cannot be reached", async () => {
    await using mirror = serveRegistry();
    const host = `127.0.0.1:${await closedPort()}`;
    const client = impatientClient({ registries: mirrorsOf(host, mirror.url) });

    const error = await registryErrorOf(client.resolve(parseReference(`${host}/app`)));

    expect(error.code).toBe("IMAGE_NOT_FOUND");
    expect(String(error.cause)).toContain(`Cannot reach "${host}": nothing listens there`);
  });
});

function mirrorsOf(registry: string, ...mirrors: string[]) {
  return parseRegistriesConfig({ [registry]: { mirrors } });
}

async function closedPort(): Promise<number> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port = 1 } = server;
  await server.stop(true);
  return port;
}

function mirroring(registry: FakeRegistry, mirror: FakeRegistry) {
  return parseRegistriesConfig({ [registry.host]: { mirrors: [mirror.url] } });
}

function clientOptions(registry: FakeRegistry, mirror: FakeRegistry) {
  return {
    registries: mirroring(registry, mirror),
    retry: { firstDelayMs: 5, totalDelayMsMax: 200 },
    timeouts: { connectMs: 1000, responseMs: 1000, stallMs: 1000 },
  };
}
