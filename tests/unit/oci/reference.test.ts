import { describe, expect, test } from "bun:test";
import {
  familiarReference,
  formatReference,
  parseReference,
  parseRegistry,
} from "../../../src/oci/reference.ts";

const HEX = "ab".repeat(32);
const DIGEST = `sha256:${HEX}`;

describe("parseReference()", () => {
  test.each([
    ["alpine", "docker.io/library/alpine:latest"],
    ["alpine:3.20", "docker.io/library/alpine:3.20"],
    ["docker.io/alpine", "docker.io/library/alpine:latest"],
    ["index.docker.io/alpine", "docker.io/library/alpine:latest"],
    ["registry.hub.docker.com/library/alpine", "docker.io/library/alpine:latest"],
    ["registry-1.docker.io/user/app:1", "docker.io/user/app:1"],
    ["user/app", "docker.io/user/app:latest"],
    ["localhost", "docker.io/library/localhost:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/a/b/c:tag", "localhost:5000/a/b/c:tag"],
    ["host:5000/app", "host:5000/app:latest"],
    ["127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"],
    ["[::1]:5000/app:1", "[::1]:5000/app:1"],
    ["Host/app", "Host/app:latest"],
    ["example.com/a__b/c-d--e/f.g", "example.com/a__b/c-d--e/f.g:latest"],
    [`alpine@${DIGEST}`, `docker.io/library/alpine@${DIGEST}`],
    [`alpine:3@${DIGEST}`, `docker.io/library/alpine:3@${DIGEST}`],
  ])("reads %p as %p", (text, full) => {
    const reference = parseReference(text);

    expect(formatReference(reference)).toBe(full);
    expect(parseReference(formatReference(reference))).toEqual(reference);
    expect(parseReference(familiarReference(reference))).toEqual(reference);
  });

  test.each([
    ["", "the repository is missing"],
    ["/alpine", '"" is not a valid part'],
    ["a//b", '"" is not a valid part'],
    ["alpine/", '"" is not a valid part'],
    ["Alpine", "upper-case"],
    ["docker.io/Alpine", "upper-case"],
    ["-alpine", "not a valid part"],
    ["a..b", "not a valid part"],
    ["../../etc", "not a host name"],
    ["a/../b", "not a valid part"],
    ["alpine:", "the tag"],
    ["alpine:-x", "the tag"],
    [`alpine:${"x".repeat(129)}`, "the tag"],
    ["alpine:a b", "the tag"],
    ["alpine\n", "not a valid part"],
    ["host:0/app", "the port"],
    ["host:65536/app", "the port"],
    ["ho_st.com/app", "not a host name"],
    ["1.2.3.4.5/app", "not a host name"],
    ["[:::]:5000/app", "not a host name"],
    [HEX, "an image id"],
    [`sha256:${HEX}`, "an image id"],
    ["sha256:abc123", "an image id"],
    ["alpine@sha512:00", "hex digits after"],
    ["alpine@sha256:../../x", "hex digits after"],
    [`${"a".repeat(250)}/bcdef`, "longer than 255"],
    ["x".repeat(10_000), "too long"],
  ])("rejects %p: %s", (text, state) => {
    const parse = () => parseReference(text);

    expect(parse).toThrow(SyntaxError);
    expect(parse).toThrow(state);
  });
});

describe("familiarReference()", () => {
  test.each([
    ["docker.io/library/alpine:latest", "alpine:latest"],
    ["docker.io/user/app:1", "user/app:1"],
    ["docker.io/library/a/b:1", "library/a/b:1"],
    ["docker.io/localhost/x", "docker.io/localhost/x:latest"],
    ["docker.io/a.b/x", "docker.io/a.b/x:latest"],
    ["localhost:5000/alpine", "localhost:5000/alpine:latest"],
    [`docker.io/library/${"0".repeat(64)}`, `library/${"0".repeat(64)}:latest`],
    ["docker.io/library/sha256:0000", "library/sha256:0000"],
  ])("shows %p as %p", (text, familiar) => {
    expect(familiarReference(parseReference(text))).toBe(familiar);
    expect(parseReference(familiar)).toEqual(parseReference(text));
  });
});

describe("parseRegistry()", () => {
  test.each([
    ["docker.io", "docker.io"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["registry-1.docker.io", "docker.io"],
    ["ghcr.io", "ghcr.io"],
    ["localhost", "localhost"],
    ["http://127.0.0.1:5000/v2/", "127.0.0.1:5000"],
    ["[::1]:5000", "[::1]:5000"],
  ])("reads %p as %p", (text, registry) => {
    expect(parseRegistry(text)).toBe(registry);
  });

  test.each(["", "alpine", "https://", "user@host.example", "a b.example", "host:99999x", "../x"])(
    "rejects %p",
    (text) => {
      expect(() => parseRegistry(text)).toThrow("expected a host name");
    },
  );
});
