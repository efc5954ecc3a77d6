/** Layers whose publisher keeps them for himself (`urls`): fetched from there, and nothing of ours goes along. */
import { describe, expect, test } from "bun:test";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { openBlob } from "../../src/registry/blob.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { type BuiltImage, buildImage, sha256Digest } from "../helpers/image_builder.ts";
import { status } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, registryErrorOf } from "../helpers/registry_fixture.ts";

const FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const ORDINARY = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const plain = buildImage({ layers: [{ entries: [{ name: "base", data: "base" }] }] });
const [layer] = plain.layers;
const AUTH = { type: "token", users: { me: "secret" }, private: ["app"] } as const;

describe("a foreign layer", () => {
  test("comes from its url when the registry does not have it, without a header of ours", async () => {
    await using publisher = serveRegistry({ images: { base: plain } });
    await using registry = serveForeign([urlAt(publisher)]);

    const bytes = await fetchLayer(registry);

    expect(sha256Digest(bytes)).toBe(layer?.descriptor.digest ?? "");
    const headers = publisher.requests.map((request) => request.headers);
    expect(headers).toHaveLength(1);
    expect(headers[0]).not.toHaveProperty("authorization");
    expect(headers[0]).not.toHaveProperty("cookie");
  });

  test("comes from the registry when it has it", async () => {
    await using publisher = serveRegistry({ images: { base: plain } });
    await using registry = serveForeign([urlAt(publisher)]);
    registry.content("app")?.blobs.set(layer?.descriptor.digest ?? "", layer?.blob as Uint8Array);

    await fetchLayer(registry);

    expect(publisher.requests).toEqual([]);
  });

  test.each(["Basic", "Bearer"])(
    "does not answer a challenge of its publisher: CVE-2020-15157 (%s)",
    async (scheme) => {
      await using publisher = serveRegistry({ images: { base: plain } });
      await using registry = serveForeign([urlAt(publisher)]);
      const challenge = `${scheme} realm="${publisher.url}/token",service="x"`;
      publisher.break(status(401, { headers: { "WWW-Authenticate": challenge } }));

      const error = await registryErrorOf(fetchLayer(registry));

      expect(error.status).toBe(401);
      expect(publisher.requests).toHaveLength(1);
      expect(publisher.requests[0]?.headers).not.toHaveProperty("authorization");
    },
  );

  test("is looked for at each of its urls in their order", async () => {
    await using empty = serveRegistry();
    await using publisher = serveRegistry({ images: { base: plain } });
    await using registry = serveForeign([urlAt(empty), urlAt(publisher)]);

    await fetchLayer(registry);

    expect([empty.requests.length, publisher.requests.length]).toEqual([1, 1]);
  });

  test.each(["http://169.254.169.254/latest", "file:///etc/passwd", "ftp://a.example/x", "nonsense"])(
    "is not looked for at %s",
    async (url) => {
      await using registry = serveForeign([url]);
      const { request } = await requestFor(registry);

      expect(request.sources).toHaveLength(1);
    },
  );

  test("has no urls when it is an ordinary one", async () => {
    await using publisher = serveRegistry({ images: { base: plain } });
    await using registry = serveForeign([urlAt(publisher)], ORDINARY);

    const error = await registryErrorOf(fetchLayer(registry));

    expect(error.status).toBe(404);
    expect(publisher.requests).toEqual([]);
  });
});

function serveForeign(urls: readonly string[], mediaType = FOREIGN): FakeRegistry {
  const image = buildImage({
    flavour: "docker",
    layers: [{ entries: [{ name: "base", data: "base" }], mediaType, descriptor: { urls } }],
  });
  const registry = serveRegistry({ images: { app: withoutLayers(image) }, auth: AUTH });
  return registry;
}

function withoutLayers(image: BuiltImage): BuiltImage {
  const config = image.blobs.get(image.configDigest) as Uint8Array;
  return { ...image, blobs: new Map([[image.configDigest, config]]) };
}

const urlAt = (publisher: FakeRegistry): string =>
  `${publisher.url}/v2/base/blobs/${layer?.descriptor.digest}`;

async function requestFor(registry: FakeRegistry) {
  const credentials = { [registry.host]: { type: "password", username: "me", password: "secret" } } as const;
  const client = impatientClient({ credentials });
  const { manifest } = await client.resolve(appOf(registry));
  const descriptor = manifest.layers[0] as Descriptor;
  return { request: await client.blobRequest(appOf(registry), descriptor) };
}

async function fetchLayer(registry: FakeRegistry): Promise<Uint8Array> {
  const { request } = await requestFor(registry);
  return new Response(await openBlob(request)).bytes();
}
