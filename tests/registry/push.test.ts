/** Pushing at the level of the library: what goes over the wire, and what happens when it goes wrong. */
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { pushImage } from "../../src/image/push.ts";
import type { PushProgress } from "../../src/image/push_progress.ts";
import { blobPath, parseDigest } from "../../src/oci/digest.ts";
import { parseReference } from "../../src/oci/reference.ts";
import type { WriterOptions } from "../../src/registry/writer.ts";
import { startCuttingProxy } from "../helpers/cutting_proxy.ts";
import { hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { type FakeRegistry, type RegistryOptions, serveRegistry } from "../helpers/fake_registry.ts";
import { type BuiltImage, buildImage } from "../helpers/image_builder.ts";
import { PullSandbox } from "../helpers/pull_sandbox.ts";
import { headers, replace, status } from "../helpers/registry_faults.ts";
import { noise, registryErrorOf } from "../helpers/registry_fixture.ts";

const USER = { name: "me", password: "pass:word" };
const LAYER_BYTES = 3_000_000;
const image = imageOf("gzip");
const [large, small] = image.layers.map(({ descriptor }) => descriptor.digest) as [string, string];

describe("pushImage()", () => {
  test("brings every byte as it was pulled, layers before config before manifest", async () => {
    await using place = await Place.create();

    const pushed = await place.push("copy:1");

    expect(pushed as unknown).toEqual({ digest: image.digest, sizeBytes: image.bytes.length });
    place.expectWhole("copy", "1");
    const order = place.target.requests
      .filter(({ method }) => method === "PUT")
      .map(({ path }) => path.replace(/^.*digest=/, ""));
    expect(order.slice(0, 2).sort()).toEqual([large, small].sort());
    expect(order.slice(2)).toEqual([image.configDigest, "/v2/copy/manifests/1"]);
  });

  test("sends nothing twice: the second push is one HEAD a blob and the manifest", async () => {
    await using place = await Place.create();
    await place.push("copy:1");
    place.target.reset();

    const states = await place.statesOf("copy:2");

    expect(states).toEqual({ [large]: "exists", [small]: "exists" });
    expect(place.target.count(/^HEAD .*\/blobs\//)).toBe(3);
    expect(place.target.requests).toHaveLength(4);
    place.expectWhole("copy", "2");
  });

  test("mounts what another repository of the registry has, and asks for the right to", async () => {
    const auth = { type: "token", users: { me: "secret" } } as const;
    await using place = await Place.create({ auth }, { isOrigin: true });

    const states = await place.statesOf("team/copy:1", {
      credentials: { [place.target.host]: { type: "password", username: "me", password: "secret" } },
    });

    expect(states).toEqual({ [large]: "mounted", [small]: "mounted" });
    const asked = place.target.requests.find(({ path }) => path.includes("repository%3Aapp%3Apull"));
    expect(asked?.path).toContain("scope=repository%3Ateam%2Fcopy%3Apull%2Cpush&");
    place.expectWhole("team/copy", "1");
  });

  test("uploads what cannot be mounted", async () => {
    await using place = await Place.create({}, { isOrigin: true });
    place.target.break(status(403, { on: /^POST .*mount=/ }));

    const states = await place.statesOf("copy:1");

    expect(states).toEqual({ [large]: "pushed", [small]: "pushed" });
  });

  test("sends no token to the host that takes the uploads", async () => {
    const auth = { type: "basic", users: { me: "secret" } } as const;
    await using place = await Place.create({ auth, uploadRedirects: true });

    await place.push("copy:1", {
      credentials: { [place.target.host]: { type: "password", username: "me", password: "secret" } },
    });

    const uploads = place.target.requests.filter(({ server }) => server === "cdn");
    expect(uploads.map(({ method }) => method)).toEqual(["PUT", "PUT", "PUT"]);
    expect(uploads.filter(({ headers }) => "authorization" in headers)).toEqual([]);
    place.expectWhole("copy", "1");
  });

  test("goes on in pieces after a connection that was cut, where the registry says", async () => {
    await using place = await Place.create();
    await using proxy = await startCuttingProxy(place.target.host, { afterBytes: 1_500_000, times: 2 });

    await place.push("copy:1", { pieceBytes: 1_000_000 }, proxy.host);

    expect(proxy.cuts()).toBe(2);
    expect(place.target.count(/^PATCH /)).toBeGreaterThan(2);
    place.expectWhole("copy", "1");
  });

  test("makes pieces as large as the registry wants them", async () => {
    await using place = await Place.create();
    place.target.break(headers({ on: /^POST / }, { "OCI-Chunk-Min-Length": "2000000" }));

    await place.push("copy:1", { pieceBytes: 1_000_000, inPieces: true });

    const ranges = place.target.requests.map((request) => request.headers["content-range"]);
    expect(ranges).toContain("0-1999999");
    place.expectWhole("copy", "1");
  });

  test("asks how far it came when a piece is refused", async () => {
    await using place = await Place.create();
    place.target.break(status(416, { on: /^PATCH /, times: 1, after: 1 }));

    await place.push("copy:1", { pieceBytes: 1_000_000, inPieces: true });

    expect(place.target.count(/^GET \/upload\//)).toBe(1);
    place.expectWhole("copy", "1");
  });

  test("renews a token that expires in the middle", async () => {
    const auth = { type: "token", users: { me: "secret" } } as const;
    await using place = await Place.create({ auth });
    place.target.break(
      replace({ on: /^PUT \/upload\//, times: 1 }, () => {
        place.target.auth.expireAll();
        const challenge = `Bearer realm="${place.target.url}/token",error="invalid_token"`;
        return new Response(null, { status: 401, headers: { "WWW-Authenticate": challenge } });
      }),
    );

    await place.push("copy:1", {
      credentials: { [place.target.host]: { type: "password", username: "me", password: "secret" } },
    });

    place.expectWhole("copy", "1");
  });

  test("waits as long as Retry-After says, and tries again", async () => {
    await using place = await Place.create();
    place.target.break(status(503, { on: /^PUT \/upload\//, times: 1, headers: { "Retry-After": "0" } }));

    await place.push("copy:1", { retry: { firstDelayMs: 60_000, totalDelayMsMax: 1000 } });

    place.expectWhole("copy", "1");
  });

  test.each<[string, RegExp, ResponseInit, string]>([
    ["no place for an upload", /^POST /, { status: 202 }, "REGISTRY_PROTOCOL"],
    [
      "a place where we must not go",
      /^POST /,
      { status: 202, headers: { Location: "http://169.254.169.254/x" } },
      "REGISTRY_PROTOCOL",
    ],
    [
      "another digest of a blob",
      /^PUT \/upload/,
      { status: 201, headers: { "Docker-Content-Digest": `sha256:${"0".repeat(64)}` } },
      "CONTENT_MISMATCH",
    ],
    [
      "another digest of the manifest",
      /^PUT .*manifests/,
      { status: 201, headers: { "Docker-Content-Digest": `sha256:${"0".repeat(64)}` } },
      "CONTENT_MISMATCH",
    ],
    ["a refusal", /^POST /, { status: 403 }, "REGISTRY_DENIED"],
    ["a login that is missing", /^HEAD /, { status: 401 }, "REGISTRY_UNAUTHORIZED"],
    ["a broken server for good", /^PUT \/upload/, { status: 500 }, "REGISTRY_FAILED"],
  ])("fails with %s, and leaves no image", async (_, on, reply, code) => {
    await using place = await Place.create();
    place.target.break(replace({ on }, () => new Response(null, reply)));

    const error = await registryErrorOf(place.push("copy:1"));

    expect(error.code as string).toBe(code);
    expect(error.message).toStartWith(`Cannot push image "${place.target.host}/copy:1"`);
  });

  test("lists a manifest with a subject under a tag, where the registry keeps no such list", async () => {
    const subject = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
    const signed = buildImage({ layers: [{ entries: [{ name: "s" }] }], manifestDocument: { subject } });
    await using source = PullSandbox.serve({ "app:latest": signed });
    const { image: stored } = await source.pull();
    await using target = serveRegistry();

    const reference = parseReference(`${target.host}/copy:1`);
    await pushImage({ image: stored, reference, root: source.root });

    const content = target.content("copy");
    const list = content?.manifests.get(content.tags.get(image.digest.replace(":", "-")) ?? "");
    expect(JSON.parse(Buffer.from(list?.bytes ?? []).toString()).manifests).toEqual([
      expect.objectContaining({
        digest: signed.digest,
        artifactType: expect.stringContaining("image.config"),
      }),
    ]);
  });

  test("does not send a blob that is damaged in the store as if it were right", async () => {
    await using place = await Place.create();
    const path = `${place.source.root}/${blobPath(parseDigest(small))}`;
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0, 0, 4));

    const error = await registryErrorOf(place.push("copy:1"));

    expect(error.code).toBe("CONTENT_MISMATCH");
    expect(place.target.content("copy")?.tags.size ?? 0).toBe(0);
  });

  test("says which layer is not here, unless the registry has it", async () => {
    await using place = await Place.create();
    await place.push("copy:1");
    rmSync(`${place.source.root}/${blobPath(parseDigest(large))}`);

    await place.push("copy:2");
    const error = await place.push("other:1").catch((thrown: unknown) => thrown);

    place.expectWhole("copy", "2");
    expect(error).toMatchObject({
      code: "PUSH_FAILED",
      message: expect.stringContaining(`the bytes of its layer "${large}" are not here`),
    });
  });
});

describe.skipIf(!hasDockerRegistry)(
  "docker-registry (skipped: without docker-registry, skopeo or openssl)",
  () => {
    test.each([
      ["none", "gzip", false],
      ["htpasswd", "zstd", true],
      ["token", "none", true],
    ] as const)(
      "takes a push (auth %s, %s, in pieces: %p) that skopeo reads back",
      async (auth, compression, inPieces) => {
        const pushed = imageOf(compression);
        await using source = PullSandbox.serve({ "app:latest": pushed });
        const { image: stored } = await source.pull();
        await using registry = await startDockerRegistry({ auth, user: USER });
        const credentials = {
          [registry.host]: { type: "password", username: USER.name, password: USER.password },
        } as const;
        const push = (name: string) =>
          pushImage({
            image: stored,
            reference: parseReference(`${registry.host}/${name}`),
            root: source.root,
            client: { credentials: auth === "none" ? {} : credentials, inPieces, pieceBytes: 1_000_000 },
          });

        await push("team/app:1");
        await push("team/app:2");

        const options = auth === "none" ? [] : ["--creds", `${USER.name}:${USER.password}`];
        const raw = await skopeo(["inspect", "--raw", ...options, `docker://${registry.host}/team/app:2`]);
        expect(Buffer.compare(raw, Buffer.from(pushed.bytes))).toBe(0);
        const copied = auth === "none" ? [] : ["--src-creds", `${USER.name}:${USER.password}`];
        const directory = `${source.path}/copy`;
        await skopeo([
          "copy",
          "--src-tls-verify=false",
          ...copied,
          `docker://${registry.host}/team/app:1`,
          `dir:${directory}`,
        ]);
        for (const { descriptor, blob } of pushed.layers) {
          const bytes = readFileSync(`${directory}/${descriptor.digest.slice("sha256:".length)}`);
          expect(Buffer.compare(bytes, Buffer.from(blob))).toBe(0);
        }
      },
    );
  },
);

async function skopeo(words: readonly string[]): Promise<Buffer> {
  const insecure = words[0] === "inspect" ? ["--tls-verify=false"] : [];
  const [verb = "", ...rest] = words;
  const child = Bun.spawn(["skopeo", "--insecure-policy", verb, ...insecure, ...rest], { stderr: "pipe" });
  const [output, errors] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`skopeo failed: ${errors}`);
  return Buffer.from(output);
}

/** A store with the image, and a registry to push to. */
class Place implements AsyncDisposable {
  readonly source: PullSandbox;
  readonly target: FakeRegistry;
  readonly #stored: Parameters<typeof pushImage>[0]["image"];

  private constructor(source: PullSandbox, target: FakeRegistry, stored: Place["stored"]) {
    this.source = source;
    this.target = target;
    this.#stored = stored;
  }

  get stored(): Parameters<typeof pushImage>[0]["image"] {
    return this.#stored;
  }

  /** @param isOrigin whether the image came from the registry that it goes to */
  static async create(
    options: RegistryOptions = {},
    { isOrigin = false }: { readonly isOrigin?: boolean } = {},
  ): Promise<Place> {
    const target = serveRegistry(isOrigin ? { images: { "app:latest": image }, ...options } : options);
    const source = PullSandbox.serve({ "app:latest": image });
    const reference = isOrigin ? parseReference(`${target.host}/app`) : source.reference();
    const { image: stored } = await source.pull({ reference });
    target.reset();
    return new Place(source, target, stored);
  }

  /** Pushes with short waits. @param host instead of the registry's own */
  push(
    name: string,
    client: WriterOptions = {},
    host = this.target.host,
    onProgress?: (progress: PushProgress) => void,
  ): ReturnType<typeof pushImage> {
    return pushImage({
      image: this.#stored,
      reference: parseReference(`${host}/${name}`),
      root: this.source.root,
      client: { retry: { firstDelayMs: 5, totalDelayMsMax: 500 }, ...client },
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  }

  /** Pushes. @returns the last state of each layer */
  async statesOf(name: string, client: WriterOptions = {}): Promise<Record<string, string>> {
    const states: Record<string, string> = {};
    await this.push(name, client, this.target.host, (progress) => {
      if (progress.kind === "layer") states[progress.digest] = progress.state;
    });
    return states;
  }

  /** The registry has the image, byte by byte. */
  expectWhole(repository: string, tag: string): void {
    const content = this.target.content(repository);
    expect(content?.tags.get(tag)).toBe(image.digest);
    expect(content?.manifests.get(image.digest)?.mediaType).toBe(image.mediaType);
    for (const [digest, bytes] of image.blobs)
      expect(Buffer.compare(content?.blobs.get(digest) ?? Buffer.alloc(0), Buffer.from(bytes))).toBe(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.target.stop();
    await this.source[Symbol.asyncDispose]();
  }
}

function imageOf(compression: "gzip" | "zstd" | "none"): BuiltImage {
  return buildImage({
    layers: [
      { compression, entries: [{ name: "large", data: noise(LAYER_BYTES) }] },
      { compression, entries: [{ name: "small", data: "small" }] },
    ],
  });
}
