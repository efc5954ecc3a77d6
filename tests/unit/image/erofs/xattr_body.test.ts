import { describe, expect, test } from "bun:test";
import { encodeXattrs, XATTR_BYTES_MAX, type XattrOwner } from "../../../../src/image/erofs/xattr_body.ts";

const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");

/** user::rwx group::r-x mask::rwx other::r-- */
const LIST = Buffer.from(
  "0200000001000700ffffffff04000500ffffffff10000700ffffffff20000400ffffffff",
  "hex",
).toString("latin1");

describe("encodeXattrs()", () => {
  test("writes a prefix as its number, and pads each attribute", () => {
    const { bytes, skipped } = encodeXattrs([["user.ab", "xyz"]], "file");

    expect(skipped).toBe(0);
    expect(Buffer.from(bytes).toString("hex")).toBe(
      `${"00".repeat(12)}${"02010300"}${"6162"}${"78797a"}000000`,
    );
  });

  const left: ReadonlyArray<readonly [name: string, owner: XattrOwner, value: string]> = [
    ["user.a", "symlink", "x"],
    ["user.a", "other", "x"],
    ["user.", "file", "x"],
    ["unknown.a", "file", "x"],
    ["security.", "file", "x"],
    ["security.capability", "file", "none"],
    ["security.capability", "file", `\x02${CAPABILITY.slice(1)}`],
    ["security.capability", "file", `${CAPABILITY.replace("\x02", "\x03")}\xff\xff\xff\xff`],
    ["system.posix_acl_accessory", "file", "x"],
    ["system.posix_acl_default", "file", LIST],
    ["system.posix_acl_access", "symlink", LIST],
  ];
  test.each(left)("leaves out %s of kind %s, as setxattr(2) would", (name, owner, value) => {
    expect(encodeXattrs([[name, value]], owner)).toEqual({ bytes: new Uint8Array(0), skipped: 1 });
  });

  test("keeps a capability set and an empty value", () => {
    expect(encodeXattrs([["security.capability", CAPABILITY]], "file").skipped).toBe(0);
    expect(encodeXattrs([["user.empty", ""]], "directory").bytes.length).toBe(12 + 12);
  });

  test("refuses more than an inode can count, and a value of 64 KiB", () => {
    const value = "v".repeat(65_000);
    const many = Array.from({ length: 4 }, (_, index) => [`user.${index}`, value] as const);

    expect(() => encodeXattrs(many, "file")).not.toThrow();
    expect(XATTR_BYTES_MAX).toBeLessThan(5 * value.length);
    expect(() => encodeXattrs([...many, ["user.4", value]], "file")).toThrow("ENOSPC");
    expect(() => encodeXattrs([["user.a", "v".repeat(65_536)]], "file")).toThrow("ENOSPC");
    expect(() => encodeXattrs([[`user.${"n".repeat(251)}`, ""]], "file")).toThrow("ERANGE");
  });
});
