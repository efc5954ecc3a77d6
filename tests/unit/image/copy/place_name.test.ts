import { describe, expect, test } from "bun:test";
import { parsePlaceName } from "../../../../src/image/copy/place_name.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

describe("parsePlaceName()", () => {
  test.each<[string, object]>([
    ["alpine", { registry: "docker.io", repository: "library/alpine", tag: "latest" }],
    ["docker://localhost:5000/a:1", { registry: "localhost:5000", repository: "a", tag: "1" }],
    ["docker://oci:1", { registry: "docker.io", repository: "library/oci", tag: "1" }],
    [`alpine@${DIGEST}`, { registry: "docker.io", repository: "library/alpine", digest: DIGEST }],
  ])("takes %s for an image of a registry", (text, reference) => {
    expect(parsePlaceName(text, "/here")).toEqual({ kind: "registry", reference } as never);
  });

  test.each<[string, object]>([
    ["oci:/srv/images", { directory: "/srv/images" }],
    ["oci:images:alpine", { directory: "/here/images", tag: "alpine" }],
    ["oci:./a b:1", { directory: "/here/./a b", tag: "1" }],
    ["oci:/x:docker.io/library/alpine:3.22", { directory: "/x", tag: "docker.io/library/alpine:3.22" }],
    [`oci:/x@${DIGEST}`, { directory: "/x", digest: DIGEST }],
    [`oci:/x:tag@${DIGEST}`, { directory: "/x", tag: "tag", digest: DIGEST }],
    ["oci:/x@y", { directory: "/x@y" }],
  ])("takes %s for a layout", (text, layout) => {
    expect(parsePlaceName(text, "/here")).toEqual({
      kind: "layout",
      tag: undefined,
      digest: undefined,
      ...layout,
    } as never);
  });

  test.each<[string, object]>([
    ["oci-archive:x.tar", { form: "oci-archive", file: "/here/x.tar" }],
    ["oci-archive:/x.tar:v1", { form: "oci-archive", file: "/x.tar", tag: "v1" }],
    ["docker-archive:/x.tar", { form: "docker-archive", file: "/x.tar" }],
    [
      "docker-archive:/x.tar:a",
      { form: "docker-archive", file: "/x.tar", tag: "docker.io/library/a:latest" },
    ],
  ])("takes %s for an archive", (text, archive) => {
    expect(parsePlaceName(text, "/here")).toEqual({ kind: "archive", tag: undefined, ...archive } as never);
  });

  test.each([
    ["oci:", "the directory is missing"],
    ["oci::tag", "the directory is missing"],
    ["oci:/x:", '"" is no tag'],
    ["oci:/x:a..b", '"a..b" is no tag'],
    ["oci:/x:-a", '"-a" is no tag'],
    [`oci:/x:${"a".repeat(513)}`, "is no tag"],
    ["dir:/x", "places are registries"],
    ["oci-archive:", "the file is missing"],
    ["oci-archive:/x:a b", '"a b" is no tag'],
    [`docker-archive:/x:a@${DIGEST}`, "has no digests for names"],
    ["docker-archive:/x:A", "upper-case"],
    ["containers-storage:alpine", "places are registries"],
    ["docker://", "the repository is missing"],
    ["Alpine", "upper-case"],
  ])("refuses %s", (text, state) => {
    expect(() => parsePlaceName(text, "/here")).toThrow(state);
  });
});
