import { describe, expect, test } from "bun:test";
import { proxyFor } from "../../../src/registry/proxy.ts";

const PROXIES = { HTTPS_PROXY: "http://secure:3128", HTTP_PROXY: "http://plain:3128" };

describe("proxyFor()", () => {
  test.each([
    ["https://a.example/v2/", PROXIES, "http://secure:3128/"],
    ["http://a.example/v2/", PROXIES, "http://plain:3128/"],
    ["https://a.example/", { https_proxy: "http://lower:1" }, "http://lower:1/"],
    [
      "https://a.example/",
      { HTTPS_PROXY: "http://upper:1", https_proxy: "http://lower:1" },
      "http://upper:1/",
    ],
    ["https://a.example/", { HTTPS_PROXY: "", https_proxy: "http://lower:1" }, "http://lower:1/"],
    ["https://a.example/", { HTTPS_PROXY: "bare.host:3128" }, "http://bare.host:3128/"],
    ["https://a.example/", { HTTPS_PROXY: "https://user:pass@tls.proxy" }, "https://user:pass@tls.proxy/"],
    ["https://a.example/", { HTTP_PROXY: "http://plain:3128" }, undefined],
    ["https://a.example/", {}, undefined],
  ])("sends %s with %p to %s", (url, environment, proxy) => {
    expect(proxyFor(new URL(url), environment)?.href).toBe(proxy);
  });

  test.each(["http://localhost:5000/", "https://127.0.0.1/", "http://127.8.8.8/", "http://[::1]:5000/"])(
    "never sends loopback, %s, to a proxy",
    (url) => {
      expect(proxyFor(new URL(url), PROXIES)).toBeUndefined();
    },
  );

  test.each<[string, string, boolean]>([
    ["*", "https://a.example/", true],
    ["a.example", "https://a.example/", true],
    ["a.example", "https://sub.a.example/", true],
    ["a.example", "https://ba.example/", false],
    [".a.example", "https://sub.a.example/", true],
    [".a.example", "https://a.example/", false],
    ["*.a.example", "https://sub.a.example/", true],
    ["*.a.example", "https://a.example/", false],
    ["A.Example", "https://a.EXAMPLE/", true],
    ["b.example, a.example ,c.example", "https://a.example/", true],
    ["a.example:443", "https://a.example/", true],
    ["a.example:443", "https://a.example:5000/", false],
    ["a.example:5000", "https://a.example:5000/", true],
    ["a.example:80", "http://a.example/", true],
    ["10.0.0.0/8", "https://10.1.2.3:5000/", true],
    ["10.0.0.0/8", "https://11.1.2.3:5000/", false],
    ["10.0.0.0/8", "https://a.example/", false],
    ["10.1.2.3", "https://10.1.2.3/", true],
    ["10.1.2.3:5000", "https://10.1.2.3:5000/", true],
    ["10.1.2.3:5000", "https://10.1.2.3/", false],
    ["fd00::/8", "https://[fd00::1]:5000/", true],
    ["fd00::1", "https://[fd00::1]/", true],
    ["[fd00::1]:5000", "https://[fd00::1]:5000/", true],
    ["[fd00::1]:5000", "https://[fd00::1]/", false],
    ["10.0.0.0/99", "https://10.1.2.3/", false],
    ["not an entry/8,,", "https://a.example/", false],
    ["", "https://a.example/", false],
  ])("with NO_PROXY=%s takes %s for an exception: %p", (list, url, isException) => {
    expect(proxyFor(new URL(url), { ...PROXIES, NO_PROXY: list }) === undefined).toBe(isException);
    expect(proxyFor(new URL(url), { ...PROXIES, no_proxy: list }) === undefined).toBe(isException);
  });

  test.each(["socks5://host:1080", "http://", "ftp://host", "http://user:secret@host:port"])(
    "refuses %s without showing it",
    (text) => {
      const attempt = (): unknown => proxyFor(new URL("https://a.example/"), { HTTPS_PROXY: text });

      expect(attempt).toThrow("Cannot use the proxy of HTTPS_PROXY");
      expect(attempt).not.toThrow("secret");
    },
  );
});
