import { describe, expect, test } from "bun:test";
import { chooseChallenge, parseChallenges } from "../../../src/registry/challenge.ts";
import { cpuMsOf } from "../../helpers/cpu_time.ts";

describe("parseChallenges()", () => {
  test("reads Docker Hub's challenge", () => {
    const header =
      'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:library/alpine:pull"';

    expect(parseChallenges(header)).toEqual([
      {
        scheme: "bearer",
        parameters: {
          realm: "https://auth.example/token",
          service: "registry.example",
          scope: "repository:library/alpine:pull",
        },
      },
    ]);
  });

  test("keeps commas and escapes in quotes", () => {
    const [challenge] = parseChallenges('Bearer realm="a\\"b",scope="repository:x:pull,push"');

    expect(challenge?.parameters).toEqual({ realm: 'a"b', scope: "repository:x:pull,push" });
  });

  test("tells several challenges in one header apart", () => {
    const header =
      'Negotiate, Digest realm="d", nonce=abc , basic realm=b,Bearer realm="r" , error=invalid_token';

    expect(parseChallenges(header)).toEqual([
      { scheme: "negotiate", parameters: {} },
      { scheme: "digest", parameters: { realm: "d", nonce: "abc" } },
      { scheme: "basic", parameters: { realm: "b" } },
      { scheme: "bearer", parameters: { realm: "r", error: "invalid_token" } },
    ]);
  });

  test("skips a token68", () => {
    expect(
      parseChallenges('Negotiate a87421000492aa8742==, Basic realm="x"').map(({ scheme }) => scheme),
    ).toEqual(["negotiate", "basic"]);
  });

  test("takes names in any case and the first of two values", () => {
    const [challenge] = parseChallenges('BEARER ReAlM="first",realm="second"');

    expect(challenge).toEqual({ scheme: "bearer", parameters: { realm: "first" } });
  });

  test.each(["", ",,,", '"', "=", 'Bearer realm="open', "\0", "a".repeat(100_000), "Bearer ".repeat(20_000)])(
    "ends quickly on garbage (%#)",
    (header) => {
      const cpuMs = cpuMsOf(() => void parseChallenges(header));

      expect(cpuMs).toBeLessThan(200);
    },
  );
});

describe("chooseChallenge()", () => {
  test("takes the first that it knows", () => {
    const challenges = parseChallenges('Digest realm="d", Basic realm="b", Bearer realm="r"');

    expect(chooseChallenge(challenges, true)).toEqual({ scheme: "basic" });
  });

  test("passes over Basic where there is no password", () => {
    const challenges = parseChallenges('Basic realm="b", Bearer realm="r"');

    expect(chooseChallenge(challenges, false)).toMatchObject({ scheme: "bearer", realm: "r" });
    expect(chooseChallenge(challenges.slice(0, 1), false)).toBeUndefined();
  });

  test("passes over Bearer without a realm", () => {
    expect(chooseChallenge(parseChallenges("Bearer service=x"), true)).toBeUndefined();
  });
});
