import { describe, expect, test } from "bun:test";
import { resolveIdentity, UnknownUserError } from "../../../../src/runtime/process/passwd.ts";

const files = {
  passwd: () =>
    [
      "root:x:0:0:root:/root:/bin/sh",
      "bob:x:1000:1001:Bob:/home/bob:/bin/sh",
      "4294967296:x:0:0:a number as a name:/root:/bin/sh",
      "broken:x:notanumber:0::/:/bin/sh",
      "homeless:x:7:7:::/bin/sh",
    ].join("\n"),
  group: () => ["root:x:0:", "wheel:x:10:root,bob", "bob:x:1001:", "audio:x:29:bob"].join("\n"),
};

describe("resolveIdentity()", () => {
  test.each([
    ["", { uid: 0, gid: 0, home: "/root", additionalGids: [10] }],
    ["root", { uid: 0, gid: 0, home: "/root", additionalGids: [10] }],
    ["bob", { uid: 1000, gid: 1001, home: "/home/bob", additionalGids: [10, 29] }],
    ["1000", { uid: 1000, gid: 1001, home: "/home/bob", additionalGids: [10, 29] }],
    ["bob:wheel", { uid: 1000, gid: 10, home: "/home/bob", additionalGids: [] }],
    ["bob:", { uid: 1000, gid: 1001, home: "/home/bob", additionalGids: [10, 29] }],
    ["1:2", { uid: 1, gid: 2, home: "/", additionalGids: [] }],
    ["12345", { uid: 12345, gid: 0, home: "/", additionalGids: [] }],
    ["0", { uid: 0, gid: 0, home: "/root", additionalGids: [10] }],
    ["01", { uid: 1, gid: 0, home: "/", additionalGids: [] }],
    ["4294967294", { uid: 4294967294, gid: 0, home: "/", additionalGids: [] }],
    ["homeless", { uid: 7, gid: 7, home: "/", additionalGids: [] }],
  ])("resolves %p as docker does", (user, expected) => {
    expect(resolveIdentity(user, files)).toMatchObject(expected);
  });

  test.each(["nobody", "bob:nogroup", "+1", " 1", "-1", "broken"])(
    "refuses %p, which no entry has",
    (user) => {
      expect(() => resolveIdentity(user, files)).toThrow(UnknownUserError);
    },
  );

  test.each(["4294967295", "4294967296", "99999999999999999999", "0:4294967295"])(
    "takes the digits %p for a number that is too large, whatever names the image has",
    (user) => {
      expect(() => resolveIdentity(user, files)).toThrow(RangeError);
    },
  );
});
