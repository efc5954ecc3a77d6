/** `-v`, `--mount` and `--tmpfs`. */
import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { parseContainerPath, parseMountTarget } from "../../../../src/engine/options/container_path.ts";
import { parseCsvLine } from "../../../../src/engine/options/csv.ts";
import { parseMount } from "../../../../src/engine/options/mount.ts";
import { DEFAULT_TMPFS, parseTmpfs } from "../../../../src/engine/options/tmpfs.ts";
import { parseVolume } from "../../../../src/engine/options/volume.ts";
import { UsageError } from "../../../../src/errors.ts";

const BIND = {
  type: "bind",
  hostPath: "/a",
  containerPath: "/b",
  readonly: false,
  propagation: "rprivate",
  createHostPath: true,
} as const;

describe("parseVolume()", () => {
  test.each([
    ["/a:/b", BIND],
    ["/a/:/b/", BIND],
    ["/x/../a:/c/../b", BIND],
    ["/a:/b:rw", BIND],
    ["/a:/b:z", BIND],
    ["/a:/b:ro", { ...BIND, readonly: true }],
    ["/a:/b:ro,rslave", { ...BIND, readonly: true, propagation: "rslave" }],
    ["/a:/b:shared", { ...BIND, propagation: "shared" }],
    ["./a:/b", { ...BIND, hostPath: resolve("a") }],
    ["..:/b", { ...BIND, hostPath: resolve("..") }],
    ["/:/b", { ...BIND, hostPath: "/" }],
  ] as const)("reads %j", (text, expected) => {
    expect(parseVolume(text)).toEqual(expected);
  });

  test.each(["", ":", "/a:", ":/b", "/a:b", "/a:/", "/a:/b/..", "/a:/b:", "/a:/b:ro:rw", "/a:/b:ro,rw"])(
    "refuses %j",
    (text) => {
      expect(() => parseVolume(text)).toThrow();
    },
  );

  test.each(["/a:/b:rprivate,rshared", "/a:/b:nocopy", "/a:/b:U", "/a:/b:RO"])(
    "refuses the options of %j",
    (text) => {
      expect(() => parseVolume(text)).toThrow(SyntaxError);
    },
  );

  test.each(["data:/b", "my.vol_1:/b", "~/a:/b", "/b", "data"])(
    "says that the volume of %j is not supported",
    (text) => {
      expect(() => parseVolume(text)).toThrow(UsageError);
      expect(() => parseVolume(text)).toThrow(/not supported yet/);
    },
  );
});

describe("parseCsvLine()", () => {
  test.each([
    ["a,b", ["a", "b"]],
    ["", [""]],
    ["a,", ["a", ""]],
    ['"a,b",c', ["a,b", "c"]],
    ['"a ""b""",c', ['a "b"', "c"]],
  ])("parts %j", (line, fields) => {
    expect(parseCsvLine(line)).toEqual(fields);
  });

  test.each(['"a', 'a"b"', '"a"b,c'])("refuses %j", (line) => {
    expect(() => parseCsvLine(line)).toThrow(SyntaxError);
  });
});

describe("parseMount()", () => {
  const bind = { ...BIND, createHostPath: false };

  test.each([
    ["type=bind,source=/a,target=/b", bind],
    ["type=bind,src=/a,dst=/b", bind],
    ["destination=/b,src=/a,type=bind", bind],
    ["TYPE=bind,Src=/a,dst=/b", bind],
    ["type=bind,src=/a,dst=/b,readonly", { ...bind, readonly: true }],
    ["type=bind,src=/a,dst=/b,ro=true", { ...bind, readonly: true }],
    ["type=bind,src=/a,dst=/b,ro=false", bind],
    ["type=bind,src=/a,dst=/b,bind-propagation=slave", { ...bind, propagation: "slave" }],
    ['type=bind,"src=/a,1",dst=/b', { ...bind, hostPath: "/a,1" }],
    ["type=tmpfs,dst=/b", { ...DEFAULT_TMPFS, containerPath: "/b" }],
    [
      "type=tmpfs,dst=/b,tmpfs-size=1m,tmpfs-mode=0700",
      { ...DEFAULT_TMPFS, containerPath: "/b", sizeBytes: 2 ** 20, mode: 0o700 },
    ],
  ] as const)("reads %j", (text, expected) => {
    expect(parseMount(text)).toEqual(expected);
  });

  test.each([
    ["src=/a,dst=/b", 'type "volume"'],
    ["type=volume,dst=/b", 'type "volume"'],
    ["type=npipe,src=/a,dst=/b", 'type "npipe"'],
    ["type=bind,src=/a", "no target"],
    ["type=bind,dst=/b", "no source"],
    ["type=bind,src=/a,dst=b", "not absolute"],
    ["type=bind,src=/a,dst=/", "container's root"],
    ["type=bind,src=/a,dst=/b,tmpfs-size=1m", "does not go with type=bind"],
    ["type=tmpfs,dst=/b,src=/a", "does not go with type=tmpfs"],
    ["type=bind,src=/a,dst=/b,src=/c", "given twice"],
    ["type=bind,src=/a,dst=/b,constructor=1", "expected one of type, source, src, target,"],
    ["type=bind,src=/a,dst=/b,source", "no value"],
    ["type=bind,src=/a,dst=/b,ro=maybe", "true or false"],
    ["type=bind,src=/a,dst=/b,bind-propagation=none", "rslave"],
    ["type=tmpfs,dst=/b,tmpfs-mode=9", "octal"],
    ["", "expected one of"],
  ])("refuses %j: %s", (text, reason) => {
    expect(() => parseMount(text)).toThrow(reason);
  });
});

describe("parseTmpfs()", () => {
  const plain = { ...DEFAULT_TMPFS, containerPath: "/run" };

  test.each([
    ["/run", plain],
    ["/run:", plain],
    ["/run:size=64k", { ...plain, sizeBytes: 65_536 }],
    ["/run:rw,exec,suid,dev", { ...plain, exec: true, suid: true, dev: true }],
    ["/run:exec,noexec", plain],
    ["/run:ro,mode=755,uid=1000,gid=0", { ...plain, readonly: true, mode: 0o755, uid: 1000, gid: 0 }],
  ] as const)("reads %j", (text, expected) => {
    expect(parseTmpfs(text)).toEqual(expected);
  });

  test.each([
    "",
    "run",
    "/",
    "/run:bogus",
    "/run:size=",
    "/run:size=50%",
    "/run:mode=99",
    "/run:uid=-1",
    "/run:uid=4294967295",
    "/run:uid=",
    "/run:,",
  ])("refuses %j", (text) => {
    expect(() => parseTmpfs(text)).toThrow();
  });
});

describe("parseContainerPath()", () => {
  test.each([
    ["/", "/"],
    ["//a///b/", "/a/b"],
    ["/a/./b/../c", "/a/c"],
    ["/../../etc", "/etc"],
  ])("normalises %j to %j", (text, expected) => {
    expect(parseContainerPath(text)).toBe(expected);
  });

  test.each(["", "a", "./a", "/a\0b", `/${"a".repeat(4095)}`])("refuses %j", (text) => {
    expect(() => parseContainerPath(text)).toThrow(SyntaxError);
  });
});

describe("parseMountTarget()", () => {
  test.each(["/", "//", "/.", "/a/.."])("refuses the container's root written as %j", (text) => {
    expect(() => parseMountTarget(text)).toThrow("container's root");
  });
});
