import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rootCertificates } from "node:tls";
import { readHosts, systemAuthorities } from "../../src/engine/certificates.ts";
import type { RegistryClient, RegistryClientOptions } from "../../src/registry/client.ts";
import { parseRegistriesConfig, withoutVerification } from "../../src/registry/registries_config.ts";
import type { CertificateStore } from "../../src/registry/trust.ts";
import { Authorities, hasOpenssl, type Signed } from "../helpers/authority.ts";
import { type FakeRegistry, type RegistryOptions, serveRegistry } from "../helpers/fake_registry.ts";
import { sha256Digest } from "../helpers/image_builder.ts";
import { status } from "../helpers/registry_faults.ts";
import {
  appOf,
  fetchInWorker,
  impatientClient,
  noisyImage,
  registryErrorOf,
} from "../helpers/registry_fixture.ts";

const image = noisyImage();
let authorities: Authorities;
let authority: Signed;
let clients: Signed;
let server: Signed;

beforeAll(() => {
  if (!hasOpenssl) return;
  authorities = new Authorities();
  authority = authorities.create("authority");
  clients = authorities.create("clients");
  server = authorities.sign("server", authority);
});

afterAll(() => authorities?.[Symbol.dispose]());

describe.skipIf(!hasOpenssl)("certs.d (skipped: without openssl)", () => {
  test("makes an authority known to the registry it is for, and to where its blobs lie", async () => {
    await using registry = serve({ blobRedirects: true });

    const digest = await pullLayer(registry, certificatesFor(registry.host, { "ca.crt": authority.cert }));

    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
    expect(registry.requests.map(({ server: where }) => where)).toContain("cdn");
  });

  test("is not asked about other registries, and the error says where the certificate belongs", async () => {
    await using registry = serve();
    const certificates = certificatesFor("127.0.0.1:1", { "ca.crt": authority.cert });

    const error = await registryErrorOf(pullLayer(registry, certificates));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.message).toMatch(/its certificate is refused \(UNABLE_TO_VERIFY/);
    expect(error.hint).toContain(`/etc/containers/certs.d/${registry.host}/ca.crt`);
    expect(error.hint).toContain("--tls-verify=false");
  });

  test("has certificates that the registry wants to see, and a Worker shows them, too", async () => {
    await using registry = serve({ tls: { ...server, ca: clients.cert } });
    const certificates = certificatesFor(registry.host, {
      "ca.crt": authority.cert,
      ...pair("client", authorities.sign("client", clients)),
    });
    const client = clientOf(await certificates);
    const { manifest } = await client.resolve(appOf(registry));
    const [layer] = manifest.layers;

    const digest = await fetchInWorker(
      await client.blobRequest(appOf(registry), layer as NonNullable<typeof layer>),
    );

    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
  });

  test("without a client certificate, where one is wanted, the error names the place for it", async () => {
    await using registry = serve({ tls: { ...server, ca: clients.cert } });
    const certificates = certificatesFor(registry.host, { "ca.crt": authority.cert });

    const error = await registryErrorOf(pullLayer(registry, certificates));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.message).toContain("or want a client certificate");
    expect(error.hint).toContain(`/etc/containers/certs.d/${registry.host}`);
  });

  test("a client certificate is shown to its own host alone, not where a redirect leads", async () => {
    await using registry = serve({ tls: { ...server, ca: clients.cert }, blobRedirects: true });
    const own = { "ca.crt": authority.cert, ...pair("client", authorities.sign("client", clients)) };
    const first = certificatesFor(registry.host, own);
    const both = authorities.certsDirectory(new URL(registry.cdnUrl).host, own);

    const error = await registryErrorOf(pullLayer(registry, first));
    const digest = await pullLayer(registry, storeOf([both]));

    expect([error.code, error.message]).toEqual([
      "REGISTRY_TLS",
      expect.stringContaining(new URL(registry.cdnUrl).host),
    ]);
    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
  });

  test.each<[string, () => Record<string, string>, RegExp]>([
    [
      "a key is missing",
      () => ({ "client.cert": server.cert }),
      /client\.cert" is there without "client\.key"/,
    ],
    ["a certificate is missing", () => ({ "my.key": server.key }), /my\.key" is there without "my\.cert"/],
    [
      "a key is another's",
      () => ({ "client.cert": server.cert, "client.key": clients.key }),
      /does not belong to its key/,
    ],
    ["a certificate is none", () => ({ "client.cert": "no", "client.key": server.key }), /is not PEM/],
    ["an authority is none", () => ({ "ca.crt": "no" }), /ca\.crt" holds no certificate in PEM/],
  ])("says so when %s", async (_, files, message) => {
    await using registry = serve();

    const error = await registryErrorOf(pullLayer(registry, certificatesFor(registry.host, files())));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.message).toMatch(message);
  });

  test("the first place that has a directory for a host decides", async () => {
    await using registry = serve();
    using other = new Authorities();
    const mine = other.certsDirectory(registry.host, { "ca.crt": authority.cert });
    const systems = authorities.certsDirectory(registry.host, { "ca.crt": clients.cert });

    await pullLayer(registry, storeOf([mine, systems]));
    const error = await registryErrorOf(pullLayer(registry, storeOf([systems, mine])));

    expect(error.code).toBe("REGISTRY_TLS");
  });

  test("a link to a directory is a directory, and a file is none", async () => {
    using other = new Authorities();
    const place = other.certsDirectory("a.example", { "ca.crt": authority.cert });
    Bun.spawnSync(["ln", "-s", "a.example", `${place}/b.example`]);
    await Bun.write(`${place}/README`, "text");

    const hosts = await readHosts([place, "/proc/nonexistent"]);

    expect(Object.keys(hosts).sort()).toEqual(["a.example", "b.example"]);
  });
});

describe.skipIf(!hasOpenssl)("authorities of the system (skipped: without openssl)", () => {
  test("are trusted where those that Bun knows do not do, redirects included", async () => {
    await using registry = serve({ blobRedirects: true });

    const digest = await pullLayer(registry, { hosts: {}, system: [clients.cert, authority.cert] });

    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
  });

  test("are read for a registry on loopback when it turns out to speak TLS", async () => {
    await using registry = serve();
    let reads = 0;
    const findAuthorities = async (): Promise<string[]> => {
      reads += 1;
      return [authority.cert];
    };

    const digest = await pullLayer(registry, undefined, { findAuthorities });

    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
    expect(reads).toBe(1);
  });

  test("are those of SSL_CERT_FILE and SSL_CERT_DIR, without those that Bun knows", async () => {
    using other = new Authorities();
    const [one, two] = [other.create("one"), authority];
    const [known = ""] = rootCertificates;
    await Bun.write(`${other.directory}/more/two.pem`, two.cert);
    await Bun.write(`${other.directory}/bundle.pem`, `${known}\n${one.cert}`);

    const found = await inEnvironment(
      {
        SSL_CERT_FILE: `${other.directory}/bundle.pem`,
        SSL_CERT_DIR: `${other.directory}/more:/proc/nonexistent`,
      },
      systemAuthorities,
    );

    expect(found.map((text) => text.trim())).toEqual([one.cert.trim(), two.cert.trim()]);
  });

  test("that do not do either leave the first error", async () => {
    await using registry = serve();

    const error = await registryErrorOf(pullLayer(registry, { hosts: {}, system: [clients.cert] }));

    expect(error.message).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });
});

describe.skipIf(!hasOpenssl)("certificates that are refused (skipped: without openssl)", () => {
  test("for being over", async () => {
    const over = authorities.sign("over", authority, { isOver: true });
    await using registry = serve({ tls: over });

    const error = await registryErrorOf(
      pullLayer(registry, certificatesFor(registry.host, { "ca.crt": authority.cert })),
    );

    expect(error.message).toContain("CERT_HAS_EXPIRED");
    expect(error.hint).toContain("Check the clock");
  });

  test("for being another host's", async () => {
    const other = authorities.sign("other", authority, { names: ["DNS:other.example"] });
    await using registry = serve({ tls: other });

    const error = await registryErrorOf(
      pullLayer(registry, certificatesFor(registry.host, { "ca.crt": authority.cert })),
    );

    expect(error.code).toBe("REGISTRY_TLS");
    expect(error.hint).toContain("the name that the certificate is for");
  });

  test.each([
    ["by the configuration", (host: string) => parseRegistriesConfig({ [host]: { verify: false } })],
    ["for one command", (host: string) => withoutVerification({}, host)],
  ])("are taken where nothing is to be verified %s, and nowhere else", async (_, configure) => {
    await using registry = serve({ blobRedirects: true });
    await using other = serve();
    const registries = configure(registry.host);

    const digest = await pullLayer(registry, undefined, { registries });
    const error = await registryErrorOf(pullLayer(other, undefined, { registries }));

    expect(digest).toBe(image.layers[0]?.descriptor.digest ?? "");
    expect(error.code).toBe("REGISTRY_TLS");
  });
});

describe.skipIf(!hasOpenssl)("a registry on loopback (skipped: without openssl)", () => {
  test("that speaks plain HTTP is asked for nothing else", async () => {
    await using registry = serveRegistry({ images: { app: image } });

    await impatientClient().findTarget(appOf(registry));

    expect(registry.requests).toHaveLength(1);
  });

  test("that speaks TLS is found out by the first request, and never spoken to in plain text again", async () => {
    await using registry = serve({ auth: { type: "token" } });
    const client = clientOf({ hosts: {}, system: [authority.cert] });

    await client.resolve(appOf(registry));
    const pings = registry.count(/^GET \/v2\/$/);
    registry.reset();
    await client.resolve(appOf(registry));

    expect(pings).toBe(1);
    expect(registry.count(/^GET \/v2\/$/)).toBe(0);
  });

  test("whose certificate is refused is not spoken to in plain text", async () => {
    await using registry = serve();

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(registry.requests).toEqual([]);
  });

  test("that replies 400 to all requests stays a registry of plain HTTP", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    registry.break(status(400));

    const error = await registryErrorOf(impatientClient().resolve(appOf(registry)));

    expect([error.code, error.status]).toEqual(["REGISTRY_FAILED", 400]);
    expect(registry.requests).toHaveLength(1);
  });

  test("that there are certificates for is never asked in plain text, so that nobody can pretend to be it", async () => {
    await using registry = serveRegistry({ images: { app: image } });
    const certificates = certificatesFor(registry.host, { "ca.crt": authority.cert });

    const error = await registryErrorOf(pullLayer(registry, certificates));

    expect(error.code).toBe("REGISTRY_TLS");
    expect(registry.requests).toEqual([]);
  });
});

function serve(options: Partial<RegistryOptions> = {}): FakeRegistry {
  return serveRegistry({ images: { app: image }, tls: server, ...options });
}

function certificatesFor(host: string, files: Readonly<Record<string, string>>): Promise<CertificateStore> {
  return storeOf([authorities.certsDirectory(host, files)]).then(({ hosts }) => ({
    hosts: { [host]: hosts[host] ?? { authorities: [] } },
    system: [],
  }));
}

async function storeOf(places: readonly string[]): Promise<CertificateStore> {
  return { hosts: await readHosts(places), system: [] };
}

async function inEnvironment<Result>(
  variables: Readonly<Record<string, string>>,
  work: () => Promise<Result>,
): Promise<Result> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await work();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const pair = (name: string, { cert, key }: Signed): Record<string, string> => ({
  [`${name}.cert`]: cert,
  [`${name}.key`]: key,
});

function clientOf(
  certificates: CertificateStore | undefined,
  options: RegistryClientOptions = {},
): RegistryClient {
  return impatientClient({ ...(certificates === undefined ? {} : { certificates }), ...options });
}

async function pullLayer(
  registry: FakeRegistry,
  certificates: CertificateStore | Promise<CertificateStore> | undefined,
  options: RegistryClientOptions = {},
): Promise<string> {
  const client = clientOf(await certificates, options);
  const { manifest } = await client.resolve(appOf(registry));
  const [layer] = manifest.layers;
  const stream = await client.openBlob(appOf(registry), layer as NonNullable<typeof layer>);
  return sha256Digest(await new Response(stream).bytes());
}
