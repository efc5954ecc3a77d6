import { describe, expect, test } from "bun:test";
import { joinScopes, parseToken, refreshRequest, tokenRequest } from "../../../src/registry/token_request.ts";

const REALM = new URL("https://auth.example/token?keep=this");

describe("joinScopes()", () => {
  test.each([
    [undefined, "repository:a:pull", "repository:a:pull"],
    ["repository:a:pull", "repository:a:pull", "repository:a:pull"],
    ["repository:a:pull", "repository:a:pull,push", "repository:a:pull,push"],
    ["repository:b:pull", "repository:a:pull,push", "repository:b:pull repository:a:pull,push"],
    ["repository:b:pull repository:a:push", "repository:a:pull", "repository:b:pull repository:a:push,pull"],
    ["aws", "repository:a:pull", "aws repository:a:pull"],
    ["", "", ""],
  ])("puts what is missing, %p, before what is wanted, %p", (challenged, wanted, expected) => {
    expect(joinScopes(challenged, wanted)).toBe(expected);
  });
});

describe("tokenRequest()", () => {
  test("asks for each scope by a parameter of its own, in their order", () => {
    const credentials = { type: "password", username: "me", password: "p:w" } as const;

    const { url, headers } = tokenRequest(
      REALM,
      { service: "s" },
      { scope: "b a", credentials, offline: false },
    );

    expect(url.search).toBe("?keep=this&service=s&scope=b&scope=a&account=me");
    expect(headers).toEqual({ Authorization: `Basic ${btoa("me:p:w")}` });
  });

  test("asks for an identity token only when it is wanted", () => {
    const question = { scope: "", credentials: undefined };

    const [without, with_] = [false, true].map((offline) =>
      tokenRequest(REALM, { service: undefined }, { ...question, offline }),
    );

    expect([without?.url.search, with_?.url.search]).toEqual([
      "?keep=this",
      "?keep=this&offline_token=true&client_id=bunker",
    ]);
  });
});

describe("refreshRequest()", () => {
  test("keeps the identity token out of the URL", () => {
    const { url, body } = refreshRequest(REALM, { service: "s" }, { scope: "a", identityToken: "secret" });

    expect(url.href).not.toContain("secret");
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      grant_type: "refresh_token",
      refresh_token: "secret",
      client_id: "bunker",
      scope: "a",
      service: "s",
    });
  });
});

describe("parseToken()", () => {
  test.each([
    [{ token: "t" }, 60],
    [{ access_token: "t", expires_in: 300 }, 300],
    [{ token: "t", expires_in: 5 }, 60],
    [{ token: "t", expires_in: "soon" }, 60],
    [{ token: "t", expires_in: -1 }, 60],
    [{ token: "", access_token: "t" }, 60],
    [{ token: null, access_token: "t" }, 60],
  ])("takes %p for a token of %p seconds", (reply, seconds) => {
    expect(parseToken(Buffer.from(JSON.stringify(reply)), 0)).toMatchObject({
      header: "Bearer t",
      expiresAtMs: seconds * 1000,
    });
  });

  test.each<[string, object]>([
    ["nothing", {}],
    ["a number", { token: 1 }],
    ["no characters", { token: "" }],
    ["a space", { token: "a b" }],
    ["a line break", { token: "a\r\nX: y" }],
    ["more than a header holds", { token: "x".repeat(20_000) }],
  ])("refuses a token of %s", (_, reply) => {
    expect(() => parseToken(Buffer.from(JSON.stringify(reply)))).toThrow(/Cannot (?:read|use) token/);
  });
});
