import { describe, expect, test } from "bun:test";
import { isConfidential, mayAuthenticateAt, mayFollow } from "../../../src/registry/address.ts";

describe("mayFollow()", () => {
  test.each([
    ["https://a.example/", "https://cdn.example/x", true],
    ["https://a.example/", "http://a.example/x", false],
    ["http://a.example/", "https://a.example/x", true],
    ["https://a.example/", "ftp://a.example/x", false],
    ["https://a.example/", "file:///etc/passwd", false],
    ["https://a.example/", "https://localhost/x", false],
    ["http://a.example/", "http://localhost./x", false],
    ["http://a.example/", "http://any.localhost./x", false],
    ["http://a.example/", "http://127.0.0.1./x", false],
    ["https://a.example/", "https://127.1/x", false],
    ["https://a.example/", "https://2130706433/x", false],
    ["https://a.example/", "https://[::1]/x", false],
    ["https://a.example/", "https://[::ffff:127.0.0.1]/x", false],
    ["https://a.example/", "https://169.254.169.254/latest", false],
    ["https://a.example/", "https://[::ffff:169.254.169.254]/latest", false],
    ["https://a.example/", "https://[fe80::1]/x", false],
    ["https://a.example/", "https://0.0.0.0/x", false],
    ["https://a.example/", "https://10.0.0.7/x", true],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:6000/x", true],
    ["http://localhost:5000/", "http://[::1]:6000/x", true],
  ])("from %s to %s: %p", (from, to, expected) => {
    expect(mayFollow(new URL(from), new URL(to))).toBe(expected);
  });
});

describe("mayAuthenticateAt()", () => {
  test.each([
    ["https://a.example/", "https://auth.example/token", true],
    ["https://a.example/", "https://10.0.0.7/token", false],
    ["https://a.example/", "https://192.168.1.1/token", false],
    ["https://a.example/", "https://172.31.0.1/token", false],
    ["https://a.example/", "https://[fd00::1]/token", false],
    ["https://10.0.0.7:5000/", "https://10.0.0.7:5000/token", true],
    ["https://10.0.0.7:5000/", "https://10.0.0.7:6000/token", false],
    ["https://a.example/", "http://auth.example/token", false],
  ])("registry %s, realm %s: %p", (registry, realm, expected) => {
    expect(mayAuthenticateAt(new URL(registry), new URL(realm))).toBe(expected);
  });
});

describe("isConfidential()", () => {
  test.each([
    ["https://a.example/", true],
    ["http://a.example/", false],
    ["http://127.0.0.1:5000/", true],
    ["http://localhost/", true],
    ["http://127.0.0.1.example/", false],
    ["http://localhost.example/", false],
  ])("%s: %p", (url, expected) => {
    expect(isConfidential(new URL(url))).toBe(expected);
  });
});
