import { describe, expect, test } from "bun:test";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { type BuiltDocument, buildImage, buildIndex, descriptorOf } from "../helpers/image_builder.ts";
import { corrupt, hang, headers, MANIFESTS, mapBody, replace, status } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";

describe("RegistryClient.resolve()", () => {
  test.each(["oci", "docker"] as const)(
    "finds manifest and config of a single image (%s)",
    async (flavour) => {
      const image = buildImage({ flavour, config: { Cmd: ["/hi"] }, layers: [{ entries: [{ name: "a" }] }] });
      await using registry = serveRegistry({ images: { app: image } });

      const resolved = await impatientClient().resolve(appOf(registry));

      expect(`${resolved.manifestDigest}`).toBe(image.digest);
      expect(`${resolved.targetDigest}`).toBe(image.digest);
      expect(resolved.config.config.cmd).toEqual(["/hi"]);
      expect(resolved.config.diffIds.map(String)).toEqual(image.layers.map((layer) => layer.diffId));
      expect(resolved.isOtherPlatform).toBe(false);
    },
  );

  test.each([
    ["linux/amd64", "linux/amd64"],
    ["linux/arm64", "linux/arm64"],
    ["linux/arm/v7", "linux/arm/v6"],
  ])("takes from an index for %s the manifest of %s", async (wanted, found) => {
    const images = ["linux/arm/v6", "linux/arm64", "linux/amd64"].map(imageFor);
    const index = buildIndex({ images, attestations: true });
    await using registry = serveRegistry({ images: { app: index } });

    const resolved = await impatientClient().resolve(appOf(registry), { platform: parsePlatform(wanted) });

    expect(formatPlatform(resolved.config.platform)).toBe(found);
    expect(`${resolved.targetDigest}`).toBe(index.digest);
    expect(resolved.indices.map((document) => `${document.digest}`)).toEqual([index.digest]);
  });

  test("names the platforms that there are when none suits", async () => {
    const index = buildIndex({ images: ["linux/arm64", "linux/s390x"].map(imageFor), attestations: true });
    await using registry = serveRegistry({ images: { app: index } });

    const error = await registryErrorOf(
      impatientClient().resolve(appOf(registry), { platform: parsePlatform("linux/amd64") }),
    );

    expect(error.code).toBe("PLATFORM_NOT_FOUND");
    expect(error.message).toEndWith("it is not for linux/amd64, but for linux/arm64, linux/s390x");
  });

  test("marks an image without an index that is for another platform", async () => {
    await using registry = serveRegistry({ images: { app: imageFor("linux/s390x") } });

    const resolved = await impatientClient().resolve(appOf(registry), {
      platform: parsePlatform("linux/amd64"),
    });

    expect(resolved.isOtherPlatform).toBe(true);
  });

  test("follows four nested indices and refuses five", async () => {
    const image = imageFor("linux/amd64");
    const four = nested(image, 4);
    await using registry = serveRegistry({ images: { "app:four": four, "app:five": nested(four, 1) } });
    const platform = parsePlatform("linux/amd64");

    const resolved = await impatientClient().resolve(appOf(registry, "app:four"), { platform });
    const error = await registryErrorOf(impatientClient().resolve(appOf(registry, "app:five"), { platform }));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(error.code).toBe("MANIFEST_INVALID");
  });

  test("looks through nested indices until one has the platform, and says what all of them have", async () => {
    const [arm, mine] = ["linux/arm64", "linux/amd64"].map((platform) => nested(imageFor(platform), 1));
    const index = buildIndex({ images: [arm as BuiltDocument, mine as BuiltDocument] });
    await using registry = serveRegistry({ images: { app: index } });
    const client = impatientClient();
    const pull = (platform: string) => client.resolve(appOf(registry), { platform: parsePlatform(platform) });

    const resolved = await pull("linux/amd64");
    const error = await registryErrorOf(pull("linux/s390x"));

    expect(formatPlatform(resolved.config.platform)).toBe("linux/amd64");
    expect(resolved.indices.map(({ digest }) => `${digest}`)).toEqual([index.digest, `${mine?.digest}`]);
    expect(error.message).toEndWith("it is not for linux/s390x, but for linux/arm64, linux/amd64");
  });

  test("looks through sixteen indices and no more", async () => {
    const images = Array.from({ length: 16 }, (_, count) => nested(imageFor(`linux/arm64/v8.${count}`), 1));
    await using registry = serveRegistry({ images: { app: buildIndex({ images }) } });

    const error = await registryErrorOf(
      impatientClient().resolve(appOf(registry), { platform: parsePlatform("linux/amd64") }),
    );

    expect([error.code, registry.count(/^GET /)]).toEqual(["MANIFEST_INVALID", 17]);
  });

  test("refuses a manifest of another size than its index says", async () => {
    const image = noisyImage();
    const entry = { ...descriptorOf(image), size: image.bytes.length + 1, platform: image.platform };
    const index = buildIndex({ images: [image], document: { manifests: [entry] } });
    await using registry = serveRegistry({ images: { app: index } });

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("MANIFEST_INVALID");
    expect(String(error.cause)).toContain("bytes are not what its index says");
  });

  test("asks by digest when the reference has one, whatever its tag", async () => {
    const image = noisyImage();
    await using registry = serveRegistry({ images: { "app:other": image } });

    const resolved = await impatientClient().resolve(appOf(registry, `app:wrong@${image.digest}`));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.count(/manifests\/wrong/)).toBe(0);
  });

  test("counts as one pull for a single image and two for an index", async () => {
    const image = noisyImage();
    const index = buildIndex({ images: [image] });
    await using registry = serveRegistry({ images: { "app:one": image, "app:two": index } });

    await impatientClient().resolve(appOf(registry, "app:one"));
    const single = registry.count(/^GET .*manifests/);
    await impatientClient().resolve(appOf(registry, "app:two"));

    expect([single, registry.count(/^GET .*manifests/)]).toEqual([1, 3]);
  });

  test("refuses a manifest that is not what its digest says", async () => {
    const image = noisyImage();
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(corrupt({ on: MANIFESTS, at: 5 }));

    const byTag = await registryErrorOf(impatientClient().resolve(appOf(registry)));
    const byDigest = await registryErrorOf(impatientClient().resolve(appOf(registry, `app@${image.digest}`)));

    expect([byTag.code, byDigest.code]).toEqual(["CONTENT_MISMATCH", "CONTENT_MISMATCH"]);
  });

  test("holds a pin even when the server names another digest with the wrong bytes", async () => {
    const image = noisyImage();
    const other = noisyImage();
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(
      replace(
        { on: MANIFESTS },
        () =>
          new Response(new Uint8Array(other.bytes), {
            headers: { "Content-Type": other.mediaType, "Docker-Content-Digest": other.digest },
          }),
      ),
    );

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry, `app@${image.digest}`)));

    expect(error.code).toBe("CONTENT_MISMATCH");
  });

  test("asks for neither manifest nor config when the index has them inline", async () => {
    const built = noisyImage();
    const config = built.blobs.get(built.configDigest) as Uint8Array;
    const descriptor = { mediaType: CONFIG_TYPE, digest: built.configDigest, size: config.length };
    const image = buildImage({
      layers: [{ entries: [{ name: "a" }] }],
      manifestDocument: {
        config: { ...descriptor, data: base64(config) },
        layers: [built.layers[0]?.descriptor],
      },
    });
    const entry = { ...descriptorOf(image), data: base64(image.bytes), platform: image.platform };
    const index = buildIndex({ images: [image], document: { manifests: [entry] } });
    await using registry = serveRegistry({ images: { app: index } });

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
    expect(registry.requests.map(({ path }) => path)).toEqual(["/v2/app/manifests/latest"]);
  });

  test("refuses inline data that is not what its digest says", async () => {
    const image = noisyImage();
    const entry = {
      ...descriptorOf(image),
      data: base64(image.bytes.toReversed()),
      platform: image.platform,
    };
    await using registry = serveRegistry({
      images: { app: buildIndex({ images: [image], document: { manifests: [entry] } }) },
    });

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("MANIFEST_INVALID");
    expect(String(error.cause)).toContain("manifests[0].data");
  });

  test.each<[string, object, string]>([
    ["a chart", { config: ARTIFACT }, "application/vnd.cncf.helm.config.v1+json"],
    [
      "an artifact without a config",
      { config: EMPTY, artifactType: "application/vnd.example.sbom" },
      "application/vnd.example.sbom",
    ],
    [
      "a layer that is no file system",
      { layers: [{ ...ARTIFACT, mediaType: "application/x.model" }] },
      "application/x.model",
    ],
  ])("names the media type of %s", async (_, manifestDocument, mediaType) => {
    const image = buildImage({
      layers: [{ entries: [{ name: "a" }] }],
      manifestDocument: { ...manifestDocument },
    });
    await using registry = serveRegistry({ images: { app: image } });

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("NOT_AN_IMAGE");
    expect(String(error.cause)).toContain(mediaType);
  });

  test.each(["application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json"])(
    "names schema 1 that is served as %s",
    async (mediaType) => {
      await using registry = serveRegistry({ images: { app: noisyImage() } });
      const body = JSON.stringify({ schemaVersion: 1, fsLayers: [] });
      registry.break(status(200, { on: MANIFESTS, body, headers: { "Content-Type": mediaType } }));

      const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

      expect(error.code).toBe("MANIFEST_INVALID");
      expect(String(error.cause)).toMatch(/schema 1 \("application\/vnd\.docker\.distribution\.manifest\.v1/);
    },
  );

  test("refuses a config that is not what its digest says", async () => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(corrupt());

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("CONTENT_MISMATCH");
  });

  test.each([
    [
      "a Content-Type that contradicts the document",
      headers({ on: MANIFESTS }, { "Content-Type": DOCKER_INDEX }),
    ],
    ["HTML", replace({ on: MANIFESTS }, () => new Response("<html>"))],
    ["schema 1", replace({ on: MANIFESTS }, () => Response.json({ schemaVersion: 1, fsLayers: [] }))],
  ])("refuses %s", async (_, fault) => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(fault);

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("MANIFEST_INVALID");
  });

  test("refuses a manifest of another type than its index says", async () => {
    const image = noisyImage();
    const entry = {
      ...descriptorOf(image),
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    };
    const index = buildIndex({
      images: [image],
      document: { manifests: [{ ...entry, platform: image.platform }] },
    });
    await using registry = serveRegistry({ images: { app: index } });

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("MANIFEST_INVALID");
  });

  test("stops reading a manifest after 4 MiB", async () => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(mapBody({ on: MANIFESTS }, () => new Uint8Array(5 * 1024 * 1024)));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.message).toContain("more than 4194304 bytes");
  });

  test("reads a manifest that a proxy compressed", async () => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(
      replace({ on: MANIFESTS }, async (right) => {
        const changed = new Headers(right.headers);
        changed.set("Content-Encoding", "gzip");
        changed.delete("Content-Length");
        return new Response(Bun.gzipSync(new Uint8Array(await right.bytes())), { headers: changed });
      }),
    );

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(resolved.manifest.layers).toHaveLength(1);
  });

  test.each([
    ["app:nosuch", "MANIFEST_UNKNOWN", "has no such tag"],
    ["nosuch:latest", "NAME_UNKNOWN", "has no such repository"],
  ])("says that %s does not exist", async (name, serverCode, state) => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry, name)));

    expect([error.code, error.status, error.serverCode]).toEqual(["IMAGE_NOT_FOUND", 404, serverCode]);
    expect(error.message).toContain(state);
    expect(error.message).toStartWith(`Cannot pull image "${registry.host}/${name}": `);
  });

  test("is ended by its signal while it waits for a reply", async () => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(hang());
    const controller = new AbortController();

    const resolving = impatientClient().resolve(appOf(registry), { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 30);

    await expect(resolving).rejects.toThrow("enough");
  });
});

describe("RegistryClient.findTarget()", () => {
  test("learns the digest of a tag without a pull", async () => {
    const index = buildIndex({ images: [noisyImage()] });
    await using registry = serveRegistry({ images: { app: index } });

    const target = await impatientClient().findTarget(appOf(registry));

    expect(target).toEqual({ digest: index.digest as never, mediaType: index.mediaType });
    expect(registry.count(/^GET/)).toBe(0);
  });

  test.each([
    ["HEAD is not supported", status(405, { on: /^HEAD/ })],
    ["HEAD is not supported, which is said with 404", status(404, { on: /^HEAD/ })],
    ["there is no digest in the reply", headers({ on: /^HEAD/ }, { "Docker-Content-Digest": undefined })],
    ["the digest is a path", headers({ on: /^HEAD/ }, { "Docker-Content-Digest": "sha256:../../etc" })],
  ])("knows nothing when %s", async (_, fault) => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(fault);

    expect(await impatientClient().findTarget(appOf(registry))).toBeUndefined();
  });

  test.each([
    ["403", 403, "REGISTRY_DENIED"],
    ["429", 429, "REGISTRY_RATE_LIMITED"],
  ] as const)("fails with %s, which GET would get too", async (_, code, expected) => {
    await using registry = serveRegistry({ images: { app: noisyImage() } });
    registry.break(status(code, { headers: { "Retry-After": "3600" } }));

    const error = await registryErrorOf(impatientClient().findTarget(appOf(registry)));

    expect(error.code).toBe(expected);
  });
});

const DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const EMPTY = {
  mediaType: "application/vnd.oci.empty.v1+json",
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
};
const ARTIFACT = {
  mediaType: "application/vnd.cncf.helm.config.v1+json",
  digest: `sha256:${"0".repeat(64)}`,
  size: 2,
};

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

function imageFor(platform: string) {
  return buildImage({ platform: parsePlatform(platform), layers: [{ entries: [{ name: platform }] }] });
}

function nested(document: BuiltDocument, depth: number): BuiltDocument {
  return depth === 0 ? document : nested(buildIndex({ images: [document] }), depth - 1);
}
