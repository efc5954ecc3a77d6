import { describe, expect, test } from "bun:test";
import {
  authKey,
  basicAuthorization,
  type Credentials,
  dockerKey,
  findEntry,
  formatAuth,
  parseClientConfig,
} from "../../../src/registry/credentials.ts";

describe("parseClientConfig()", () => {
  test("reads what docker login writes", () => {
    const config = {
      auths: {
        "https://index.docker.io/v1/": { auth: btoa("user:pa:ss") },
        "localhost:5000": { auth: btoa("me:secret") },
        "https://lan.example/v2/": { username: "a", password: "b" },
        "token.example": { identitytoken: "idt" },
        "helper.example": {},
        "null.example": null,
      },
    };

    expect(Object.fromEntries(parseClientConfig(config).auths)).toEqual({
      "docker.io": { type: "password", username: "user", password: "pa:ss" },
      "localhost:5000": { type: "password", username: "me", password: "secret" },
      "lan.example": { type: "password", username: "a", password: "b" },
      "token.example": { type: "identity", identityToken: "idt" },
    });
  });

  test("takes the password of the user <token> for an identity token", () => {
    const { auths } = parseClientConfig({ auths: { "a.example": { auth: btoa("<token>:abc") } } });

    expect(auths.get("a.example")).toEqual({ type: "identity", identityToken: "abc" });
  });

  test("takes the entry that docker looks up for, whatever lies beside it", () => {
    const hub = "https://index.docker.io/v1/";
    const auths = {
      [hub]: { auth: btoa("me:password") },
      [`${hub}access-token`]: { auth: btoa("me:access") },
      [`${hub}refresh-token`]: { auth: btoa("me:refresh..client") },
      "docker.io": { auth: btoa("me:podman") },
      "https://lan.example": { auth: btoa("me:older") },
      "lan.example": { auth: btoa("me:newer") },
      "http://lan.example/v1/": { auth: btoa("me:oldest") },
    };

    const found = parseClientConfig({ auths }).auths;

    expect(found.get("docker.io")).toMatchObject({ password: "password" });
    expect(found.get("lan.example")).toMatchObject({ password: "newer" });
  });

  test("keeps that a registry has no helper", () => {
    const { credHelpers } = parseClientConfig({ credsStore: "pass", credHelpers: { "a.example": "" } });

    expect(credHelpers.get("a.example")).toBe("");
  });

  test("reads the names of helpers", () => {
    const config = parseClientConfig({
      credsStore: "desktop",
      credHelpers: { "https://index.docker.io/v1/": "pass", "gcr.io": "gcr" },
    });

    expect(config.credsStore).toBe("desktop");
    expect([...config.credHelpers]).toEqual([
      ["docker.io", "pass"],
      ["gcr.io", "gcr"],
    ]);
    expect(config.auths.size).toBe(0);
  });

  test.each([
    ["no object", []],
    ["auths of another kind", { auths: 1 }],
    ["an entry of another kind", { auths: { a: 1 } }],
  ])("refuses %s", (_, value) => {
    expect(() => parseClientConfig(value)).toThrow(SyntaxError);
  });
});

describe("authKey()", () => {
  test.each([
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["registry-1.docker.io", "docker.io"],
    ["https://lan.example:5000/some/path", "lan.example:5000"],
    ["quay.io/team", "quay.io/team"],
    ["quay.io/v2/", "quay.io"],
  ])("makes of %s %s", (key, expected) => {
    expect(authKey(key)).toBe(expected);
  });
});

describe("findEntry()", () => {
  const entries = new Map([
    ["quay.io", 1],
    ["quay.io/team", 2],
    ["other.io/team", 3],
  ]);

  test.each([
    ["quay.io", "team/app", 2],
    ["quay.io", "team", 2],
    ["quay.io", "teams/app", 1],
    ["quay.io", "", 1],
    ["other.io", "app", undefined],
  ])("finds for %s and %s the entry %p", (registry, repository, expected) => {
    expect(findEntry(entries, { registry, repository })).toBe(expected);
  });
});

describe("formatAuth()", () => {
  const all: readonly Credentials[] = [
    { type: "password", username: "ü", password: "a:b" },
    { type: "identity", identityToken: "idt" },
  ];

  test.each(all)("writes what parseClientConfig() reads: %o", (credentials) => {
    const { auths } = parseClientConfig({ auths: { [dockerKey("docker.io")]: formatAuth(credentials) } });

    expect(auths.get("docker.io")).toEqual(credentials);
  });
});

describe("basicAuthorization()", () => {
  test("encodes UTF-8", () => {
    const header = basicAuthorization({ type: "password", username: "ü", password: "ö" });

    expect(Buffer.from(header?.slice("Basic ".length) ?? "", "base64").toString()).toBe("ü:ö");
  });
});
