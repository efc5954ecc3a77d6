import { describe, expect, test } from "bun:test";
import { DEFAULT_TRUST, tlsOptions, trustOf } from "../../../src/registry/trust.ts";

const client = { cert: "CERT", key: "KEY" };
const hosts = {
  "a.example": { authorities: ["A"], client },
  "cdn.example": { authorities: ["C"] },
  "bad.example": { authorities: [], failure: '"x" is not PEM' },
};
const store = { hosts, system: ["S"] };
const ofA = trustOf({ name: "a.example", baseUrl: "https://a.example" }, store);

describe("tlsOptions()", () => {
  test("says that certificates are verified even when there is nothing else to say", async () => {
    expect(await tlsOptions(new URL("https://b.example/"), DEFAULT_TRUST)).toEqual({
      rejectUnauthorized: true,
    });
  });

  test.each([
    ["https://a.example/", ["A"], true],
    ["https://cdn.example/", ["A", "C"], false],
    ["https://elsewhere.example/", ["A"], false],
    ["https://a.example:5000/", ["A"], false],
  ])(
    "for %s of a registry adds the authorities %p, and its client certificate: %p",
    async (url, own, isShown) => {
      const options = await tlsOptions(new URL(url), ofA);

      expect(options.ca?.slice(-own.length)).toEqual(own);
      expect(options.ca?.length).toBeGreaterThan(100);
      expect({ cert: options.cert, key: options.key }).toEqual(
        isShown ? client : { cert: undefined, key: undefined },
      );
    },
  );

  test("adds the system's authorities where they are asked for", async () => {
    const url = new URL("https://b.example/");
    const none = trustOf({ name: "b.example", baseUrl: "https://b.example" }, store);

    expect((await tlsOptions(url, none)).ca).toBeUndefined();
    expect((await tlsOptions(url, none, true)).ca?.at(-1)).toBe("S");
  });

  test("tells what is wrong with a host's files when the host is met by TLS, and not before", async () => {
    await expect(tlsOptions(new URL("https://bad.example/"), ofA)).rejects.toThrow('"x" is not PEM');
    expect(await tlsOptions(new URL("http://bad.example/"), ofA)).toMatchObject({ rejectUnauthorized: true });
  });
});

describe("trustOf()", () => {
  test("takes the directory of the registry's name for the host that it is reached at", async () => {
    const hub = { hosts: { "docker.io": { authorities: ["H"] } }, system: [] };
    const trust = trustOf({ name: "docker.io", baseUrl: "https://registry-1.docker.io" }, hub);

    expect((await tlsOptions(new URL("https://registry-1.docker.io/v2/"), trust)).ca?.at(-1)).toBe("H");
  });

  test.each(["constructor", "__proto__"])("has nothing for a host called %s", async (name) => {
    const trust = trustOf({ name, baseUrl: "https://c.example" }, store);

    expect(trust.authorities).toEqual([]);
  });
});
