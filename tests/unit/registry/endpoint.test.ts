import { describe, expect, test } from "bun:test";
import { contentUrl, endpointsOf } from "../../../src/registry/endpoint.ts";
import { parseRegistriesConfig, withoutVerification } from "../../../src/registry/registries_config.ts";

describe("endpointsOf()", () => {
  test.each([
    ["docker.io", "https://registry-1.docker.io"],
    ["example.com", "https://example.com"],
    ["example.com:5000", "https://example.com:5000"],
    ["10.0.0.1:5000", "https://10.0.0.1:5000"],
  ])("reaches %s at %s", (registry, baseUrl) => {
    expect(endpointsOf(registry)).toEqual([{ name: registry, baseUrl }]);
  });

  test.each(["localhost:5000", "127.9.9.9:5000", "[::1]:5000"])(
    "tries plain HTTP at %s, then TLS",
    (registry) => {
      const guess = { name: registry, baseUrl: `http://${registry}`, otherUrl: `https://${registry}` };

      expect(endpointsOf(registry)).toEqual([guess]);
    },
  );

  test("reaches a loopback registry that there are certificates for by TLS alone", () => {
    const certificates = { "localhost:5000": { authorities: [] } };

    expect(endpointsOf("localhost:5000", {}, certificates)).toEqual([
      { name: "localhost:5000", baseUrl: "https://localhost:5000" },
    ]);
  });

  test("tries plain HTTP after TLS where nothing is to be verified for one command", () => {
    const config = withoutVerification({ "a.example": { mirrors: ["https://m.example"] } }, "a.example");

    expect(endpointsOf("a.example", config)).toEqual([
      { name: "m.example", baseUrl: "https://m.example" },
      { name: "a.example", baseUrl: "https://a.example", otherUrl: "http://a.example", verify: false },
    ]);
  });

  test("takes from the configuration which hosts are not verified, mirrors by their own names", () => {
    const config = parseRegistriesConfig({
      "a.example": { mirrors: ["https://m.example"] },
      "m.example": { verify: false },
    });

    expect(endpointsOf("a.example", config)).toEqual([
      { name: "m.example", baseUrl: "https://m.example", verify: false },
      { name: "a.example", baseUrl: "https://a.example" },
    ]);
  });

  test("asks mirrors in their order before the registry itself", () => {
    const config = parseRegistriesConfig({
      "docker.io": { mirrors: ["http://127.0.0.1:5000", "https://mirror.example/hub/"] },
    });

    expect(endpointsOf("docker.io", config)).toEqual([
      { name: "127.0.0.1:5000", baseUrl: "http://127.0.0.1:5000" },
      { name: "mirror.example", baseUrl: "https://mirror.example/hub" },
      { name: "docker.io", baseUrl: "https://registry-1.docker.io" },
    ]);
  });

  test.each([
    ["localhost:5000", true, "https://localhost:5000"],
    ["lan.example", false, "http://lan.example"],
  ])("reaches %s with tls %p at %s", (registry, tls, baseUrl) => {
    const config = parseRegistriesConfig({ [registry]: { tls } });

    expect(endpointsOf(registry, config)).toEqual([{ name: registry, baseUrl }]);
  });
});

describe("contentUrl()", () => {
  test("keeps the path of a mirror", () => {
    const url = contentUrl(
      { name: "m", baseUrl: "https://m.example/hub" },
      { repository: "library/alpine", kind: "manifests", name: "3.20" },
    );

    expect(url.href).toBe("https://m.example/hub/v2/library/alpine/manifests/3.20");
  });
});

describe("parseRegistriesConfig()", () => {
  test.each([
    ["a list", [], '"registries" is not valid'],
    ["an unknown key", { a: { mirror: [] } }, 'the unknown key "mirror"'],
    ["verify as a word", { a: { verify: "no" } }, "not true or false"],
    ["what only a command line may say", { a: { mayBePlain: true } }, 'the unknown key "mayBePlain"'],
    ["tls as a word", { a: { tls: "yes" } }, "not true or false"],
    ["a mirror without a scheme", { a: { mirrors: ["host:5000"] } }, "is not a URL"],
    ["a mirror with a password", { a: { mirrors: ["https://u:p@host"] } }, "is not a URL"],
    ["a mirror of another scheme", { a: { mirrors: ["ftp://host"] } }, "is not a URL"],
    ["a mirror with a query", { a: { mirrors: ["https://host/?a"] } }, "is not a URL"],
  ])("refuses %s", (_, value, message) => {
    expect(() => parseRegistriesConfig(value)).toThrow(message);
  });
});
