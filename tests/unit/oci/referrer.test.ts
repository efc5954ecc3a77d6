import { describe, expect, test } from "bun:test";
import { digestOfBytes } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media_type.ts";
import { entryFor, parseReferrers, referrersTag, withReferrer } from "../../../src/oci/referrer.ts";

const documentOf = (content: object, mediaType = OCI_MANIFEST) => {
  const bytes = Buffer.from(JSON.stringify(content));
  return { mediaType, bytes, digest: digestOfBytes(bytes) };
};
const config = { mediaType: "application/x-config", digest: `sha256:${"b".repeat(64)}`, size: 2 };
const added = documentOf({ config, artifactType: "application/x-note", annotations: { a: "b" } });

describe("entryFor()", () => {
  test("says of what type a manifest is, by the type of its configuration where it does not say", () => {
    const { digest, bytes } = added;
    const plain = documentOf({ config });
    const index = documentOf({ manifests: [] }, `${OCI_INDEX}; charset=utf-8`);

    expect(entryFor(added)).toEqual({
      ...{ mediaType: OCI_MANIFEST, digest, size: bytes.length },
      artifactType: "application/x-note",
      annotations: { a: "b" },
    });
    expect(entryFor(plain)["artifactType"]).toBe("application/x-config");
    expect(entryFor(index)).toEqual({ mediaType: OCI_INDEX, digest: index.digest, size: index.bytes.length });
  });
});

describe("withReferrer()", () => {
  test("makes a list, adds to one, keeps what it does not know, and adds nothing twice", () => {
    const other = documentOf({ config });
    const foreign = documentOf({
      schemaVersion: 2,
      extra: [1],
      manifests: [{ ...entryFor(other), more: true }],
    });

    const first = withReferrer(undefined, added);
    const second = withReferrer(foreign.bytes, added);

    expect(JSON.parse(String(first?.bytes))).toEqual({
      ...{ schemaVersion: 2, mediaType: OCI_INDEX },
      manifests: [entryFor(added)],
    });
    expect(JSON.parse(String(second?.bytes))).toEqual({
      ...{ schemaVersion: 2, extra: [1] },
      manifests: [{ ...entryFor(other), more: true }, entryFor(added)],
    });
    expect(second?.digest).toBe(digestOfBytes(second?.bytes ?? new Uint8Array()));
    expect(withReferrer(second?.bytes, added)).toBeUndefined();
  });
});

describe("parseReferrers()", () => {
  test.each([
    ["a manifest", { config, layers: [] }],
    ["an entry without a digest", { manifests: [{ mediaType: OCI_MANIFEST, size: 1 }] }],
    ["a list of another kind", { manifests: {} }],
    ["more than can be", { manifests: Array.from({ length: 1001 }, () => entryFor(added)) }],
  ])("refuses %s", (_, content) => {
    expect(() => parseReferrers(documentOf(content).bytes)).toThrow(/^Cannot read /);
  });
});

describe("referrersTag()", () => {
  test("is the digest with a dash", () => {
    expect(referrersTag(added.digest)).toBe(added.digest.replace(":", "-"));
  });
});
