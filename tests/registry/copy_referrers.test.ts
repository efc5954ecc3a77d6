/** Signatures and the like, which go with an image: by the registry's own list, and by the tag that stands for one. */
import { describe, expect, test } from "bun:test";
import { parseDigest } from "../../src/oci/digest.ts";
import { referrersTag } from "../../src/oci/referrer.ts";
import { buildArtifact, CopyPlace } from "../helpers/copy_place.ts";
import { hasDockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import type { FakeRegistry } from "../helpers/fake_registry.ts";
import { type BuiltDocument, buildImage, buildIndex } from "../helpers/image_builder.ts";
import { replace, status } from "../helpers/registry_faults.ts";
import { knowsSubjects, type ListOptions, referrerLists } from "../helpers/registry_lists.ts";

const SIGNATURE = "application/x-signature";
const LIST = "application/x-list";
const platform = { os: "linux", architecture: "amd64" };
const image = buildImage({ layers: [{ entries: [{ name: "file", data: "file" }] }], platform });
const index = buildIndex({ images: [image] });
const signature = buildArtifact(SIGNATURE, "signature", image);
const list = buildArtifact(LIST, "list of parts", image);
const signatureOfList = buildArtifact(SIGNATURE, "signature of the list", list);
const signatureOfIndex = buildArtifact(SIGNATURE, "signature of the index", index);
const all = [signature, list, signatureOfList, signatureOfIndex];
const tagOf = ({ digest }: BuiltDocument): string => referrersTag(parseDigest(digest));

describe("copyImage() with referrers", () => {
  test("copies what refers to an image, and what refers to that, page by page", async () => {
    await using place = source({ pageLength: 1 });
    place.to.break(referrerLists(place.to), knowsSubjects());

    await place.copy("from/app:1", "to/copy:1", { referrers: [] });

    expect(manifestsOf(place.to)).toEqual(digestsOf(image, signature, list, signatureOfList));
    expect([...(place.to.content("copy")?.tags.keys() ?? [])]).toEqual(["1"]);
    expect(place.writes().at(-1)).toBe("PUT /v2/copy/manifests/1");
  });

  test("copies what refers to an index and to each of its images", async () => {
    await using place = source();
    place.to.break(referrerLists(place.to), knowsSubjects());

    await place.copy("from/app:1", "to/copy:1", { all: true, referrers: [] });

    expect(manifestsOf(place.to)).toEqual(digestsOf(index, image, ...all));
  });

  test("asks the registry itself for the next page, whatever scheme and port it gives itself there", async () => {
    await using place = source({ pageLength: 1 });
    place.from.reset();
    const pages = referrerLists(place.from, { pageLength: 1 });
    place.from.break({
      takes: (request) => pages.takes(request),
      reply: async (request, next) => {
        const right = await pages.reply(request, next);
        const link = right.headers.get("link");
        if (link !== null) right.headers.set("link", link.replace("<", "<https://127.0.0.1"));
        return right;
      },
    });

    await place.copy("from/app:1", "to/copy:1", { referrers: [] });

    expect(manifestsOf(place.to)).toEqual(digestsOf(image, signature, list, signatureOfList));
  });

  test("copies none unless it is asked to", async () => {
    await using place = source();

    await place.copy("from/app:1", "to/copy:1", { all: true });

    expect(manifestsOf(place.to)).toEqual(digestsOf(index, image));
  });

  test.each([true, false])(
    "copies those of one type, whether the registry filters (%p) or not",
    async (filters) => {
      await using place = source({ filters });
      place.to.break(referrerLists(place.to), knowsSubjects());

      await place.copy("from/app:1", "to/copy:1", { referrers: [LIST] });

      expect(manifestsOf(place.to)).toEqual(digestsOf(image, list));
      expect(place.from.count(/referrers\/.*\?artifactType=application%2Fx-list/)).toBeGreaterThan(0);
    },
  );

  test("keeps the list under a tag where the registry keeps none", async () => {
    await using place = source();

    await place.copy("from/app:1", "to/copy:1", { referrers: [] });

    expect([...(place.to.content("copy")?.tags.keys() ?? [])].sort()).toEqual(
      ["1", tagOf(image), tagOf(list)].sort(),
    );
    expect(listAt(place.to, tagOf(image))).toEqual([
      { ...entryOf(signature), artifactType: SIGNATURE, annotations: { note: "signature" } },
      { ...entryOf(list), artifactType: LIST, annotations: { note: "list of parts" } },
    ]);
  });

  test.each([400, 404, 405, 406])(
    "reads the list of a tag where the list itself is answered with %i",
    async (code) => {
      await using place = source();
      await place.copy("from/app:1", "to/copy:1", { referrers: [] });
      place.to.break(status(code, { on: /referrers/ }));

      await place.copy("to/copy:1", "from/back:1", { referrers: [] });

      expect(manifestsOf(place.from, "back")).toEqual(digestsOf(image, signature, list, signatureOfList));
    },
  );

  test("reads such a list, adds to one, and leaves what is in it", async () => {
    await using place = source();
    await place.copy("from/app:1", "to/copy:1", { referrers: [SIGNATURE] });
    await place.copy("from/app:1", "to/copy:1", { referrers: [LIST] });
    const listed = listAt(place.to, tagOf(image));

    const again = await place.copy("to/copy:1", "from/back:1", { referrers: [] });

    expect(listed.map(({ digest }) => digest)).toEqual([signature.digest, list.digest]);
    expect(again.status).toBe("copied");
    expect(manifestsOf(place.from, "back")).toEqual(digestsOf(image, signature, list));
  });

  test("writes nothing when image and referrers are there", async () => {
    await using place = source();
    await place.copy("from/app:1", "to/copy:1", { referrers: [] });
    place.to.reset();

    const copied = await place.copy("from/app:1", "to/copy:1", { referrers: [] });

    expect(copied.status).toBe("unchanged");
    expect(place.to.requests.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });

  test("copies what cosign keeps under tags beside an image, also through a layout", async () => {
    await using place = source();
    const sbom = buildArtifact("text/spdx", "parts");
    place.from.add(`app:${tagOf(image)}.sig`, signature);
    place.from.add(`app:${tagOf(image)}.sbom`, sbom);
    place.from.add(`app:${tagOf(image)}.other`, list);
    place.to.break(referrerLists(place.to), knowsSubjects());

    await place.copy("from/app:1", "oci:layout:1", { referrers: [] });
    await place.copy("oci:layout:1", "to/copy:1", { referrers: [] });
    const before = place.writes().length;
    await place.copy("oci:layout:1", "to/copy:1", { referrers: [] });

    const tags = place.to.content("copy")?.tags;
    expect(tags?.get(`${tagOf(image)}.sig`)).toBe(signature.digest);
    expect(tags?.get(`${tagOf(image)}.sbom`)).toBe(sbom.digest);
    expect(tags?.has(`${tagOf(image)}.other`)).toBeFalse();
    expect(
      place
        .writes()
        .slice(before)
        .filter((line) => !line.startsWith("GET")),
    ).toEqual([]);
  });

  test("ends when they refer to one another in a ring that a registry makes up", async () => {
    await using place = source();
    place.from.break();
    const ring = (subject: string): Response =>
      Response.json({
        schemaVersion: 2,
        manifests: [entryOf(subject.includes(signature.digest) ? list : signature)],
      });
    place.from.reset();
    place.from.break(replace({ on: /referrers/ }, (_, { url }) => ring(url)));

    await place.copy("from/app:1", "to/copy:1", { referrers: [] });

    expect(manifestsOf(place.to)).toEqual(digestsOf(image, signature, list));
  });

  test.each<[string, ResponseInit & { body?: string }, string]>([
    ["pages without end", { headers: { Link: '</v2/app/referrers/x>; rel="next"' } }, "REGISTRY_PROTOCOL"],
    [
      "a page at another host",
      { headers: { Link: '<http://127.0.0.2/x>; rel="next"' } },
      "REGISTRY_PROTOCOL",
    ],
    ["no index", { body: '{"layers":[]}' }, "MANIFEST_INVALID"],
    ["no JSON", { body: "<html>" }, "MANIFEST_INVALID"],
    ["a refusal", { status: 403 }, "REGISTRY_DENIED"],
  ])("fails when the list has %s", async (_, { body = '{"manifests":[]}', ...init }, code) => {
    await using place = source();
    place.from.reset();
    place.from.break(replace({ on: /referrers/ }, () => new Response(body, init)));

    const error = await place
      .copy("from/app:1", "to/copy:1", { referrers: [] })
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code });
    expect(place.to.content("copy")?.tags.size ?? 0).toBe(0);
  });

  test("keeps them in a layout, which gives them back", async () => {
    await using place = source();

    await place.copy("from/app:1", "oci:layout:app", { all: true, referrers: [] });
    await place.copy("oci:layout:app", "to/copy:1", { all: true, referrers: [] });
    const again = await place.copy("from/app:1", "oci:layout:app", { all: true, referrers: [] });

    expect(manifestsOf(place.to)).toEqual(digestsOf(index, image, ...all));
    expect(again.status).toBe("unchanged");
    const { manifests } = JSON.parse(place.read("layout/index.json").toString());
    expect(manifests).toHaveLength(1 + all.length);
  });

  test.skipIf(!hasDockerRegistry)(
    "keeps the list in docker-registry, and finds it there (skipped: without docker-registry)",
    async () => {
      await using registry = await startDockerRegistry();
      await using place = source();

      await place.copy("from/app:1", `${registry.host}/app:1`, { all: true, referrers: [] });
      await place.copy(`${registry.host}/app:1`, "to/copy:1", { all: true, referrers: [] });

      const reply = await fetch(`${registry.url}/v2/app/tags/list`);
      const { tags } = (await reply.json()) as { readonly tags: string[] };
      expect(tags.sort()).toEqual(["1", tagOf(image), tagOf(list), tagOf(index)].sort());
      expect(manifestsOf(place.to)).toEqual(digestsOf(index, image, ...all));
    },
  );
});

describe("the list of referrers that clients keep", () => {
  const tag = tagOf(image);
  const puts = new RegExp(`^PUT .*/manifests/${tag}$`);
  const other = buildArtifact("text/other", "of another client", image);
  /** Another client writes its own list after each of ours. */
  const overwriting = (place: CopyPlace, match: { readonly times?: number }) =>
    replace({ on: puts, ...match }, (right) => {
      place.to.add(`copy:${tag}`, buildIndex({ images: [other] }));
      return right;
    });

  test("has what a client adds while another one writes over it", async () => {
    await using place = source();
    place.to.break(overwriting(place, { times: 1 }));

    await place.copy("from/app:1", "to/copy:1", { referrers: [SIGNATURE] });

    expect(listAt(place.to, tag).map(({ digest }) => digest)).toEqual(listed(other, signature));
    expect(place.to.count(puts)).toBe(2);
  });

  test("has what two clients add that have read it at one time", async () => {
    await using place = source();
    const [bothRead, bothWritten] = [meeting(2), meeting(2)];
    place.to.break(
      replace({ on: new RegExp(`^GET .*/manifests/${tag}$`), times: 2 }, bothRead),
      replace({ on: puts, times: 2 }, bothWritten),
    );

    await Promise.all(
      [SIGNATURE, LIST].map((type) => place.copy("from/app:1", "to/copy:1", { referrers: [type] })),
    );

    const digests = listAt(place.to, tag).map(({ digest }) => digest);
    expect(digests.sort()).toEqual(listed(signature, list).sort());
  });

  test("is given up after five times, and the error says so", async () => {
    await using place = source();
    place.to.break(overwriting(place, {}));

    const error = await place
      .copy("from/app:1", "to/copy:1", { referrers: [SIGNATURE] })
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({
      code: "REGISTRY_FAILED",
      message: expect.stringContaining("others write it at the same time"),
    });
    expect(place.to.count(puts)).toBe(5);
    expect(manifestsOf(place.to)).toContain(signature.digest);
  });
});

/** Holds replies back until there are `count` of them. */
function meeting(count: number): (right: Response) => Promise<Response> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let missing = count;
  return async (right) => {
    missing -= 1;
    if (missing === 0) resolve();
    await promise;
    return right;
  };
}

/** A registry with an image and all that refers to it. */
function source(options: ListOptions = {}): CopyPlace {
  const names = all.map((document, at) => [`app:x${at}`, document] as const);
  const place = new CopyPlace({ "app:1": index, ...Object.fromEntries(names) });
  place.from.break(referrerLists(place.from, options));
  return place;
}

const listed = (...documents: readonly BuiltDocument[]): string[] => documents.map(({ digest }) => digest);

const digestsOf = (...documents: readonly BuiltDocument[]): string[] =>
  documents.map(({ digest }) => digest).sort();

/** Manifests of images and artifacts, without the lists that clients keep. */
function manifestsOf(registry: FakeRegistry, repository = "copy"): string[] {
  const manifests = [...(registry.content(repository)?.manifests ?? [])];
  const isList = (bytes: Uint8Array): boolean =>
    JSON.parse(Buffer.from(bytes).toString()).manifests?.[0]?.artifactType !== undefined;
  return manifests.flatMap(([digest, { bytes }]) => (isList(bytes) ? [] : [digest])).sort();
}

const entryOf = ({ digest, mediaType, bytes }: BuiltDocument) => ({ mediaType, digest, size: bytes.length });

function listAt(
  registry: FakeRegistry,
  tag: string,
): { readonly digest: string; readonly [key: string]: unknown }[] {
  const content = registry.content("copy");
  const bytes = content?.manifests.get(content.tags.get(tag) ?? "")?.bytes ?? new Uint8Array();
  return JSON.parse(Buffer.from(bytes).toString()).manifests;
}
