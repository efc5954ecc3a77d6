import { describe, expect, test } from "bun:test";
import { formatPlatform, parsePlatform } from "../../src/oci/platform.ts";
import { parseReference } from "../../src/oci/reference.ts";
import type { RegistryClientOptions } from "../../src/registry/client.ts";
import { parseRegistriesConfig } from "../../src/registry/registries_config.ts";
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { type BuiltImage, buildImage, buildIndex, sha256Digest } from "../helpers/image_builder.ts";
import { impatientClient, noise, registryErrorOf } from "../helpers/registry_fixture.ts";

const USER = { name: "me", password: "pass:word" };
const image = imageFor("linux/amd64");

describe.skipIf(!hasDockerRegistry)(
  "docker-registry (skipped: without docker-registry, skopeo or openssl)",
  () => {
    test.each([
      ["gzip", "v2s2", "application/vnd.docker.image.rootfs.diff.tar.gzip"],
      ["gzip", "oci", "application/vnd.oci.image.layer.v1.tar+gzip"],
      ["zstd", "oci", "application/vnd.oci.image.layer.v1.tar+zstd"],
    ] as const)(
      "serves %s layers with %s media types that skopeo pushed",
      async (compression, format, mediaType) => {
        const pushed = imageFor("linux/amd64", compression);
        await using registry = await startDockerRegistry();
        await registry.push("a/b:1", pushed, ["--format", format]);

        const digests = await pullAll(registry, "a/b:1");

        expect(digests.map((layer) => layer.mediaType)).toEqual([mediaType, mediaType]);
        for (const { expected, found } of digests) expect(found).toBe(expected);
      },
    );

    test("serves each platform of an index", async () => {
      const index = buildIndex({ images: [imageFor("linux/arm64"), image], attestations: true });
      await using registry = await startDockerRegistry();
      await registry.push("multi:latest", index);
      const reference = parseReference(`${registry.host}/multi`);

      const arm64 = await impatientClient().resolve(reference, { platform: parsePlatform("linux/arm64") });
      const amd64 = await impatientClient().resolve(reference, { platform: parsePlatform("linux/amd64") });

      expect([arm64, amd64].map(({ config }) => formatPlatform(config.platform))).toEqual([
        "linux/arm64",
        "linux/amd64",
      ]);
      expect(`${arm64.targetDigest}`).toBe(index.digest);
      expect((await impatientClient().findTarget(reference))?.digest).toBe(arm64.targetDigest);
    });

    test("is passed with a password, and not without or with a wrong one", async () => {
      await using registry = await startDockerRegistry({ auth: "htpasswd", user: USER });
      await registry.push("app:latest", image);

      const digests = await pullAll(registry, "app", credentialsOf(registry, USER.password));
      const none = await registryErrorOf(pullAll(registry, "app"));
      const wrong = await registryErrorOf(pullAll(registry, "app", credentialsOf(registry, "wrong")));

      for (const { expected, found } of digests) expect(found).toBe(expected);
      expect([none.code, wrong.code]).toEqual(["IMAGE_NOT_FOUND", "REGISTRY_UNAUTHORIZED"]);
    });

    test("is passed with a token: anonymous for public images, with a password for private ones", async () => {
      await using registry = await startDockerRegistry({ auth: "token", user: USER, private: ["hidden"] });
      await registry.push("open:latest", image);
      await registry.push("hidden:latest", image);

      const open = await pullAll(registry, "open");
      const hidden = await pullAll(registry, "hidden", credentialsOf(registry, USER.password));
      const refused = await registryErrorOf(pullAll(registry, "hidden"));

      for (const { expected, found } of [...open, ...hidden]) expect(found).toBe(expected);
      expect([refused.code, refused.status]).toEqual(["IMAGE_NOT_FOUND", 401]);
    });

    test(
      "is a mirror that keeps what it has fetched: the registry itself may go",
      async () => {
        const index = buildIndex({ images: [image, imageFor("linux/arm64")] });
        await using itself = await startDockerRegistry();
        await using mirror = await startDockerRegistry({ cacheOf: itself.url });
        const registries = parseRegistriesConfig({ [itself.host]: { mirrors: [mirror.url] } });
        await itself.push("app:1", index);

        const first = await pullAll(itself, "app:1", { registries });
        await untilWritten(mirror, [...image.blobs.keys()]);
        await itself[Symbol.asyncDispose]();
        const second = await pullAll(itself, "app:1", { registries });
        const missing = await registryErrorOf(pullAll(itself, "app:nosuch", { registries }));

        for (const { expected, found } of [...first, ...second]) expect(found).toBe(expected);
        expect(missing.code).toMatch(/IMAGE_NOT_FOUND|REGISTRY_UNREACHABLE/);
      },
      WRITTEN_MS_MAX * 2,
    );

    test("names what is missing", async () => {
      await using registry = await startDockerRegistry();
      await registry.push("app:latest", image);

      const tag = await registryErrorOf(pullAll(registry, "app:nosuch"));
      const repository = await registryErrorOf(pullAll(registry, "nosuch"));

      expect([tag.code, repository.code]).toEqual(["IMAGE_NOT_FOUND", "IMAGE_NOT_FOUND"]);
      expect([tag.serverCode, repository.serverCode]).toEqual(["MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN"]);
    });
  },
);

/** Longest that a mirror takes to write down what it has handed on: it fetches it once more for that. */
const WRITTEN_MS_MAX = 40_000;

async function untilWritten(registry: DockerRegistry, digests: readonly string[]): Promise<void> {
  const end = Date.now() + WRITTEN_MS_MAX;
  // Looking again is the only way to know.
  while (!digests.every((digest) => registry.has(digest)) && Date.now() < end) await Bun.sleep(20);
}

interface PulledLayer {
  readonly mediaType: string;
  readonly expected: string;
  readonly found: string;
}

async function pullAll(
  registry: DockerRegistry,
  name: string,
  options: RegistryClientOptions = {},
): Promise<readonly PulledLayer[]> {
  const client = impatientClient({ ...options, timeouts: { responseMs: 5000, stallMs: 5000 } });
  const reference = parseReference(`${registry.host}/${name}`);
  const { manifest } = await client.resolve(reference, { platform: parsePlatform("linux/amd64") });
  return Promise.all(
    manifest.layers.map(async (layer) => {
      const bytes = await new Response(await client.openBlob(reference, layer)).bytes();
      return { mediaType: layer.mediaType, expected: `${layer.digest}`, found: sha256Digest(bytes) };
    }),
  );
}

function credentialsOf(registry: DockerRegistry, password: string): RegistryClientOptions {
  return { credentials: { [registry.host]: { type: "password", username: USER.name, password } } };
}

function imageFor(platform: string, compression: "gzip" | "zstd" = "gzip"): BuiltImage {
  return buildImage({
    platform: parsePlatform(platform),
    layers: [
      { compression, entries: [{ name: "a", data: noise(300_000) }] },
      { compression, entries: [{ name: "b", data: platform }] },
    ],
  });
}
