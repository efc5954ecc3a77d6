/** Registries behind a proxy; every name leads to this machine by it, and no other machine is asked for any. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseReference, type Reference } from "../../src/oci/reference.ts";
import type { RegistryClientOptions } from "../../src/registry/client.ts";
import { Authorities, hasOpenssl } from "../helpers/authority.ts";
import { startConnectProxy } from "../helpers/connect_proxy.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { sha256Digest } from "../helpers/image_builder.ts";
import { fetchInWorker, impatientClient, noisyImage, registryErrorOf } from "../helpers/registry_fixture.ts";

const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] as const;
const USER = "us@er:p:ss";
const image = noisyImage(2_000_000);
const digest = image.layers[0]?.descriptor.digest ?? "";
const before = new Map<string, string | undefined>();

beforeEach(() => {
  for (const name of VARIABLES) {
    before.set(name, process.env[name]);
    delete process.env[name];
  }
});

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

describe("a registry of plain HTTP behind a proxy", () => {
  test("is asked by whole URLs, its token server too, with the proxy's own credentials", async () => {
    await using proxy = await startConnectProxy({ user: USER });
    await using registry = serveRegistry({ images: { app: image }, auth: { type: "token" } });
    registry.auth.realm = `http://${nameOf(registry)}/token`;
    process.env["HTTP_PROXY"] = `http://us%40er:p%3Ass@${proxy.host}`;

    const found = await pullLayer(registry, { registries: plain(registry) });

    expect(found).toBe(digest);
    expect(proxy.requests[0]).toBe(`GET http://${nameOf(registry)}/v2/app/manifests/latest HTTP/1.1`);
    expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${btoa(USER)}`]));
  });

  test("cannot be reached without the credentials that the proxy wants", async () => {
    await using proxy = await startConnectProxy({ user: USER });
    await using registry = serveRegistry({ images: { app: image } });
    process.env["HTTP_PROXY"] = `http://us%40er:wrong-secret@${proxy.host}`;

    const error = await registryErrorOf(pullLayer(registry, { registries: plain(registry) }));

    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(error.message).toBe(
      `Cannot reach "${nameOf(registry)}" through the proxy "${proxy.host}": it replies with status 407`,
    );
    expect(error.hint).toContain("USER:PASSWORD");
    expect(Bun.inspect(error)).not.toMatch(/wrong-secret/);
    expect(registry.requests).toEqual([]);
  });
});

describe.skipIf(!hasOpenssl)("a registry of TLS behind a proxy (skipped: without openssl)", () => {
  test("is reached by CONNECT, with its own certificate, and a Worker goes the same way", async () => {
    using authorities = new Authorities();
    const { registry, certificates } = serveTls(authorities);
    await using _ = registry;
    await using proxy = await startConnectProxy({ user: USER });
    process.env["https_proxy"] = `http://us%40er:p%3Ass@${proxy.host}`;
    const client = impatientClient({ certificates });
    const { manifest } = await client.resolve(referenceTo(registry));
    const [layer] = manifest.layers;
    const before = proxy.requests.length;

    const found = await fetchInWorker(
      await client.blobRequest(referenceTo(registry), layer as NonNullable<typeof layer>),
    );

    expect(found).toBe(digest);
    expect(before).toBeGreaterThan(0);
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${nameOf(registry)} HTTP/1.1`]));
    expect(new Set(proxy.authorizations)).toEqual(new Set([`Basic ${btoa(USER)}`]));
  });

  test.each([
    ["wants other credentials", { user: "a:b" }, "it replies with status 407", 1],
    ["has no way to it", { refuse: 502 }, "it replies with status 502", 5],
    ["forbids it", { refuse: 403 }, "it replies with status 403", 1],
  ])("cannot be reached when the proxy %s", async (_, options, state, attempts) => {
    using authorities = new Authorities();
    const { registry, certificates } = serveTls(authorities);
    await using __ = registry;
    await using proxy = await startConnectProxy(options);
    process.env["HTTPS_PROXY"] = `http://me:wrong-secret@${proxy.host}`;

    const error = await registryErrorOf(pullLayer(registry, { certificates }));

    expect(error.code).toBe("REGISTRY_UNREACHABLE");
    expect(error.message).toBe(
      `Cannot reach "${nameOf(registry)}" through the proxy "${proxy.host}": ${state}`,
    );
    expect(Bun.inspect(error)).not.toMatch(/wrong-secret/);
    expect(proxy.requests).toHaveLength(attempts);
  });
});

describe("the variables", () => {
  test("name a proxy that is not there, and the error says which", async () => {
    process.env["HTTPS_PROXY"] = "http://me:wrong-secret@127.0.0.1:1";

    const error = await registryErrorOf(impatientClient().resolve(parseReference("registry.test/app")));

    expect(error.message).toBe(
      'Cannot reach "registry.test" through the proxy "127.0.0.1:1": nothing listens there',
    );
    expect(Bun.inspect(error)).not.toMatch(/wrong-secret/);
  });

  test("name exceptions, which are reached without the proxy", async () => {
    await using proxy = await startConnectProxy();
    // A label of 64 characters is refused by the resolver itself: no packet leaves the machine.
    const host = `${"x".repeat(64)}.invalid`;
    process.env["HTTPS_PROXY"] = `http://${proxy.host}`;
    process.env["NO_PROXY"] = "10.0.0.0/8,.invalid";

    const error = await registryErrorOf(impatientClient().resolve(parseReference(`${host}/app`)));

    expect(error.message).toBe(`Cannot reach "${host}": its name does not resolve`);
    expect(proxy.requests).toEqual([]);
  });

  test("name something that is no proxy, which is said before any request", async () => {
    process.env["HTTPS_PROXY"] = "socks5://me:wrong-secret@127.0.0.1:1080";

    const resolving = impatientClient().resolve(parseReference("registry.test/app"));

    await expect(resolving).rejects.toThrow("Cannot use the proxy of HTTPS_PROXY");
  });
});

/** The name of a registry that only the proxy can resolve. */
function nameOf(registry: FakeRegistry): string {
  return `registry.test:${new URL(registry.url).port}`;
}

function referenceTo(registry: FakeRegistry): Reference {
  return parseReference(`${nameOf(registry)}/app`);
}

function plain(registry: FakeRegistry): NonNullable<RegistryClientOptions["registries"]> {
  return { [nameOf(registry)]: { mirrors: [], tls: false } };
}

function serveTls(authorities: Authorities): {
  registry: FakeRegistry;
  certificates: NonNullable<RegistryClientOptions["certificates"]>;
} {
  const authority = authorities.create("authority");
  const tls = authorities.sign("server", authority, { names: ["DNS:registry.test"] });
  const registry = serveRegistry({ images: { app: image }, tls });
  const hosts = { [nameOf(registry)]: { authorities: [authority.cert] } };
  return { registry, certificates: { hosts, system: [] } };
}

async function pullLayer(registry: FakeRegistry, options: RegistryClientOptions): Promise<string> {
  const client = impatientClient(options);
  const { manifest } = await client.resolve(referenceTo(registry));
  const [layer] = manifest.layers;
  const stream = await client.openBlob(referenceTo(registry), layer as NonNullable<typeof layer>);
  return sha256Digest(await new Response(stream).bytes());
}
