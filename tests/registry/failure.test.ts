import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { parseReference } from "../../src/oci/reference.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { hang, status } from "../helpers/registry_faults.ts";
import { appOf, impatientClient, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";

const image = noisyImage();

/** What a patient client would wait before it tries again; what fails at once takes a part of it. */
const WAIT_MS = 60_000;
const patientClient = () =>
  impatientClient({ retry: { firstDelayMs: WAIT_MS, totalDelayMsMax: 10 * WAIT_MS } });

describe("replies that may pass", () => {
  test.each([408, 429, 500, 502, 503, 504])("a status of %i is tried again", async (code) => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(code, { times: 2 }));

    const resolved = await impatientClient().resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });

  test.each([400, 403, 404, 410, 418])("a status of %i is not", async (code) => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(code));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.status).toBe(code);
    expect(registry.requests).toHaveLength(1);
  });

  test("the wait that Retry-After asks for is kept", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(503, { times: 1, headers: { "Retry-After": "1" } }));
    const start = performance.now();

    await impatientClient().resolve(appOf(registry));

    expect(performance.now() - start).toBeGreaterThan(990);
  });

  test.each([
    ["seconds", () => "3600"],
    ["a date", () => new Date(Date.now() + 3_600_000).toUTCString()],
  ])("a longer wait, in %s, fails at once and says how long", async (_, header) => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(429, { headers: { "Retry-After": header() }, body: RATE_LIMIT_BODY }));
    const start = performance.now();

    const error = await registryErrorOf(patientClient().resolve(appOf(registry)));

    expect([error.code, error.serverCode, error.retryable]).toEqual([
      "REGISTRY_RATE_LIMITED",
      "TOOMANYREQUESTS",
      true,
    ]);
    // Of a date the time until then is told, which may have become less.
    expect(error.message).toMatch(/it asks to wait (?:3600|35\d\d) s/);
    expect(error.hint).toMatch(/^Try again in (?:3600|35\d\d) s/);
    expect(performance.now() - start).toBeLessThan(WAIT_MS / 2);
    expect(registry.requests).toHaveLength(1);
  });

  test("a server that stays broken is given up after five requests", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(500));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect([error.code, error.status]).toEqual(["REGISTRY_FAILED", 500]);
    expect(registry.requests).toHaveLength(5);
  });
});

describe("messages of a registry", () => {
  test("are quoted, so that they cannot forge lines or colours", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    const message = `\u001b[31mred\nbunker: all is well ${"x".repeat(1000)}`;
    registry.break(status(403, { body: JSON.stringify({ errors: [{ code: "DENIED", message }] }) }));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_DENIED");
    expect(error.message).toContain('(the registry says "\\u001b[31mred\\nbunker: all is well xxx');
    expect(error.message).not.toContain("\n");
    expect(error.message).not.toContain("\u001b");
    expect(error.message.length).toBeLessThan(500);
  });

  test("in HTML or of a gigabyte are left unread", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(403, { body: `<html>${"x".repeat(200_000)}` }));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.message).toEndWith("denies access");
  });
});

describe("registries that cannot be reached", () => {
  test("a port where nothing listens fails at once", async () => {
    const registry = serveRegistry();
    await registry.stop();
    const start = performance.now();

    const error = await registryErrorOf(patientClient().resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(error.message).toBe(`Cannot reach "${registry.host}": nothing listens there`);
    expect(performance.now() - start).toBeLessThan(WAIT_MS / 2);
  });

  test("a name that does not resolve fails", async () => {
    // A label of 64 characters is refused by the resolver itself: no packet leaves the machine.
    const host = `${"x".repeat(64)}.invalid`;

    const error = await registryErrorOf(impatientClient().resolve(parseReference(`${host}/app`)));

    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(error.message).toBe(`Cannot reach "${host}": its name does not resolve`);
  });

  test("a server that accepts and never replies is given up after the limit", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(hang());
    const client = impatientClient({ timeouts: { responseMs: 400 } });

    const error = await registryErrorOf(client.resolve(appOf(registry)));

    expect(error.message).toBe(`Cannot reach "${registry.host}": no reply within 0.4 s`);
  });

  test.skipIf(Bun.which("python3") === null)(
    "a host that drops connections is given up before the limit for a reply (skipped: without python3)",
    async () => {
      await using hole = await blackHole();
      const client = impatientClient({ timeouts: { connectMs: 300, responseMs: 40_000 } });
      const start = performance.now();

      const error = await registryErrorOf(client.resolve(parseReference(`127.0.0.1:${hole.port}/app`)));

      expect(error.message).toBe(`Cannot reach "127.0.0.1:${hole.port}": no connection within 0.3 s`);
      expect(performance.now() - start).toBeLessThan(20_000);
    },
  );

  test("a slow reply of a host that accepts connections is waited for", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break({ takes: () => true, reply: async (_, next) => Bun.sleep(1500).then(next) });
    const client = impatientClient({ timeouts: { connectMs: 1000, responseMs: 30_000 } });

    const resolved = await client.resolve(appOf(registry));

    expect(`${resolved.manifestDigest}`).toBe(image.digest);
  });
});

describe.skipIf(Bun.which("openssl") === null)("TLS (skipped: without openssl)", () => {
  test("a certificate of nobody's is refused, even when the environment allows it", async () => {
    const reply = await inProcess({ NODE_TLS_REJECT_UNAUTHORIZED: "0" });

    expect(reply).toBe("REGISTRY_TLS: its certificate is refused (DEPTH_ZERO_SELF_SIGNED_CERT)");
  });

  test("a certificate that SSL_CERT_FILE names is accepted", async () => {
    const reply = await inProcess({ SSL_CERT_FILE: "cert.pem" });

    expect(reply).toBe("resolved");
  });

  test("a redirect from TLS to plain HTTP is refused", async () => {
    const reply = await inProcess({ SSL_CERT_FILE: "cert.pem", TEST_REDIRECT: "http://127.0.0.1:1/x" });

    expect(reply).toEndWith('it redirects to "http://127.0.0.1:1/x", which is not allowed');
  });

  test("a registry that speaks plain HTTP where TLS is expected is told from one with a bad certificate", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    const client = impatientClient({ registries: { [registry.host]: { mirrors: [], tls: true } } });

    const error = await registryErrorOf(client.resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.message).toContain("it may speak plain HTTP");
    expect(error.hint).toContain('"tls": false');
  });
});

describe("the environment", () => {
  test("neither sends requests to loopback through a proxy nor prints tokens", async () => {
    await using proxy = serveRegistry();
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    const variables = { http_proxy: proxy.url, HTTP_PROXY: proxy.url, BUN_CONFIG_VERBOSE_FETCH: "curl" };

    const { output } = await runResolve(registry, variables);

    expect(output).toBe("resolved\n");
    expect(proxy.requests).toHaveLength(0);
  });
});

const RATE_LIMIT_BODY = JSON.stringify({
  errors: [{ code: "TOOMANYREQUESTS", message: "You have reached your limit" }],
});

/** Resolves an image of a TLS registry in a process of its own, since variables for TLS are read at its start. */
async function inProcess(environment: Record<string, string>): Promise<string> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-tls-`);
  try {
    const [key, cert] = [`${directory}/key.pem`, `${directory}/cert.pem`];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    Bun.spawnSync([
      "openssl",
      "req",
      "-x509",
      ...curve,
      "-nodes",
      "-days",
      "2",
      "-keyout",
      key,
      "-out",
      cert,
      ...subject,
    ]);
    const tls = { key: await Bun.file(key).text(), cert: await Bun.file(cert).text() };
    await using registry = serveRegistry({ images: { app: image }, tls });
    const target = environment["TEST_REDIRECT"];
    if (target !== undefined) registry.break(status(307, { headers: { Location: target } }));
    const file = environment["SSL_CERT_FILE"];
    const variables =
      file === undefined ? environment : { ...environment, SSL_CERT_FILE: `${directory}/${file}` };
    const { output } = await runResolve(registry, variables);
    return output.trim();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function runResolve(
  registry: FakeRegistry,
  environment: Record<string, string>,
): Promise<{ output: string }> {
  const script = new URL("./resolve_process.ts", import.meta.url).pathname;
  const process_ = Bun.spawn([process.execPath, script, registry.host, registry.url], {
    env: { ...process.env, ...environment },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([process_.stdout.text(), process_.stderr.text()]);
  return { output: `${output}${errors}` };
}

/** A port whose queue of connections is full, so that the kernel drops further ones without a word. */
async function blackHole(): Promise<AsyncDisposable & { readonly port: number }> {
  const program = `
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
held = []
for _ in range(4):
    c = socket.socket(); c.setblocking(False)
    try: c.connect(s.getsockname())
    except BlockingIOError: pass
    held.append(c)
time.sleep(0.1)
print(s.getsockname()[1], flush=True)
sys.stdin.read()
`;
  const holder = Bun.spawn(["python3", "-c", program], { stdin: "pipe", stdout: "pipe" });
  const { value } = await holder.stdout.getReader().read();
  return {
    port: Number(new TextDecoder().decode(value)),
    async [Symbol.asyncDispose]() {
      holder.kill();
      await holder.exited;
    },
  };
}
