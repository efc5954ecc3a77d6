import { describe, expect, test } from "bun:test";
import { basicAuthorization, parseDockerAuths } from "../../../src/registry/credentials.ts";

describe("parseDockerAuths()", () => {
  test("reads what docker login writes", () => {
    const config = {
      auths: {
        "https://index.docker.io/v1/": { auth: btoa("user:pa:ss") },
        "localhost:5000": { auth: btoa("me:secret") },
        "https://lan.example/v2/": { username: "a", password: "b" },
        "token.example": { identitytoken: "idt" },
        "helper.example": {},
      },
    };

    expect(parseDockerAuths(config)).toEqual({
      "docker.io": { type: "password", username: "user", password: "pa:ss" },
      "localhost:5000": { type: "password", username: "me", password: "secret" },
      "lan.example": { type: "password", username: "a", password: "b" },
      "token.example": { type: "identity", identityToken: "idt" },
    });
  });

  test("takes the password of the user <token> for an identity token", () => {
    const store = parseDockerAuths({ auths: { "a.example": { auth: btoa("<token>:abc") } } });

    expect(store["a.example"]).toEqual({ type: "identity", identityToken: "abc" });
  });

  test("is empty without auths", () => {
    expect(parseDockerAuths({ credsStore: "desktop" })).toEqual({});
  });
});

describe("basicAuthorization()", () => {
  test("encodes UTF-8", () => {
    const header = basicAuthorization({ type: "password", username: "ü", password: "ö" });

    expect(Buffer.from(header?.slice("Basic ".length) ?? "", "base64").toString()).toBe("ü:ö");
  });
});
