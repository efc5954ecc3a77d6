import { describe, expect, test } from "bun:test";
import { blobPath, digestHex, digestOfBytes, isDigest, parseDigest } from "../../../src/oci/digest.ts";

const HEX = "0123456789abcdef".repeat(4);

describe("parseDigest()", () => {
  test("accepts sha256 and 64 lower-case hex digits", () => {
    expect(parseDigest(`sha256:${HEX}`)).toBe(`sha256:${HEX}` as ReturnType<typeof parseDigest>);
  });

  test.each([
    ["an upper-case digit", `sha256:${HEX.toUpperCase()}`],
    ["63 digits", `sha256:${HEX.slice(1)}`],
    ["65 digits", `sha256:${HEX}0`],
    ["another algorithm", `sha512:${HEX}${HEX}`],
    ["a path", `sha256:../../../../etc/passwd`],
    ["a trailing newline", `sha256:${HEX}\n`],
    ["no algorithm", HEX],
    ["nothing", ""],
  ])("rejects %s", (_, text) => {
    expect(() => parseDigest(text)).toThrow(SyntaxError);
    expect(isDigest(text)).toBe(false);
  });

  test("cuts a long text short in its message", () => {
    const parse = () => parseDigest("x".repeat(10_000));

    expect(parse).toThrow(/^.{1,250}$/);
  });
});

describe("digestOfBytes()", () => {
  test("is the digest that sha256sum prints", () => {
    const digest = digestOfBytes(new TextEncoder().encode("hello\n"));

    expect<string>(digest).toBe("sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  });
});

describe("blobPath()", () => {
  test("is the path of an OCI layout", () => {
    const digest = parseDigest(`sha256:${HEX}`);

    expect(blobPath(digest)).toBe(`blobs/sha256/${HEX}`);
    expect(digestHex(digest)).toBe(HEX);
  });
});
