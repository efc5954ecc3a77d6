/**
 * The certificates for registries that the machine has: those of docker's and podman's `certs.d`, and the system's own
 * authorities. A directory `HOST` or `HOST:PORT`, as in references, holds
 *
 *     *.crt               authorities
 *     *.cert with *.key   a certificate that is shown to the host
 *
 * As with podman, the first of the places that has a directory for a host decides.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { CertificateStore, HostCertificates, Trust } from "../registry/trust.ts";
import { userDirectory } from "./home.ts";

/** Largest file that is read, in bytes. */
const FILE_SIZE_MAX = 1 << 20;
/** Most files in the directory of a host. */
const FILE_COUNT_MAX = 100;
/** Most hosts in a place. */
const HOST_COUNT_MAX = 1000;

/** Where systems keep the authorities that they trust; the first that is there. */
const BUNDLES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
/** Most files of a directory of authorities that are read. */
const DIRECTORY_COUNT_MAX = 1000;
/** Largest bundle that is read, in bytes. */
const BUNDLE_SIZE_MAX = 4 << 20;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The places in the order in which they decide. */
export function certificatePlaces(): readonly string[] {
  const own = userDirectory("XDG_CONFIG_HOME", ".config");
  return [
    `${own}/containers/certs.d`,
    // Docker's place for its rootless engine.
    `${own}/docker/certs.d`,
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ];
}

/** Reads those of the hosts; what is wrong with the files of one is told when it is met. */
export async function readHosts(places = certificatePlaces()): Promise<CertificateStore["hosts"]> {
  // Without a prototype: a directory may have any name.
  const hosts: Record<string, HostCertificates> = Object.create(null);
  for (const place of places) {
    for (const host of directoriesIn(place)) {
      if (Object.hasOwn(hosts, host)) continue;
      // One after the other: most machines have none.
      hosts[host] = await readHost(`${place}/${host}`);
    }
  }
  return hosts;
}

/** What holds for requests to hosts that are no registries. */
export async function machineTrust(): Promise<Trust> {
  return { verify: true, authorities: [], hosts: await readHosts(), system: await systemAuthorities() };
}

function directoriesIn(place: string): readonly string[] {
  try {
    const names = readdirSync(place).slice(0, HOST_COUNT_MAX);
    return names.filter((name) => statSync(`${place}/${name}`, { throwIfNoEntry: false })?.isDirectory());
  } catch {
    // There is no such place, or it is none of this user's.
    return [];
  }
}

async function readHost(directory: string): Promise<HostCertificates> {
  try {
    const names = readdirSync(directory).sort().slice(0, FILE_COUNT_MAX);
    const authorities = names
      .filter((name) => name.endsWith(".crt"))
      .flatMap((name) => certificatesOf(`${directory}/${name}`));
    const client = await readClient(directory, names);
    return { authorities, ...(client === undefined ? {} : { client }) };
  } catch (error) {
    return { authorities: [], failure: (error as Error).message };
  }
}

async function readClient(
  directory: string,
  names: readonly string[],
): Promise<HostCertificates["client"] | undefined> {
  const pairs = names.filter((name) => /\.(?:cert|key)$/.test(name));
  const lone = pairs.find((name) => !names.includes(counterpart(name)));
  if (lone !== undefined) throw new Error(`"${directory}/${lone}" is there without "${counterpart(lone)}"`);
  const [first] = pairs.filter((name) => name.endsWith(".cert"));
  if (first === undefined) return undefined;
  const path = `${directory}/${first}`;
  const cert = readText(path);
  const key = readText(`${directory}/${counterpart(first)}`);
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch {
    throw new Error(`"${path}" or its key is not PEM`);
  }
  throw new Error(`"${path}" does not belong to its key`);
}

const counterpart = (name: string): string =>
  name.endsWith(".cert") ? name.replace(/\.cert$/, ".key") : name.replace(/\.key$/, ".cert");

function certificatesOf(path: string): readonly string[] {
  const found = readText(path).match(CERTIFICATE);
  if (found === null) throw new Error(`"${path}" holds no certificate in PEM`);
  return found;
}

function readText(path: string): string {
  let text: string;
  try {
    if (statSync(path).size > FILE_SIZE_MAX) throw new Error(`"${path}" is larger than 1 MiB`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : new Error(`"${path}" cannot be read (${code})`);
  }
  return text;
}

/**
 * Those that Bun does not have: an organisation's own, which every other program of the machine trusts. SSL_CERT_FILE and
 * SSL_CERT_DIR name other places, as for Go's programs.
 */
export async function systemAuthorities(): Promise<readonly string[]> {
  const file = process.env["SSL_CERT_FILE"] || BUNDLES.find((path) => existsSync(path));
  // The directory of a bundle has the same, each in a file of its own.
  const bundled = file === undefined ? undefined : dirname(file);
  const directories = (process.env["SSL_CERT_DIR"] ?? "").split(":");
  const others = directories.filter((path) => path !== "" && path !== bundled);
  // Lazily: this module of Bun takes 2 ms (measured), and a registry of plain HTTP needs none of it.
  const { rootCertificates } = await import("node:tls");
  const known = new Set(rootCertificates.map(bare));
  const paths = [...(file === undefined ? [] : [file]), ...others.flatMap(filesIn)];
  const found = paths.flatMap(authoritiesIn).map((text) => [bare(text), text] as const);
  return [...new Map(found.filter(([name]) => !known.has(name))).values()];
}

function authoritiesIn(path: string): readonly string[] {
  try {
    if (statSync(path).size > BUNDLE_SIZE_MAX) return [];
    return readFileSync(path, "utf8").match(CERTIFICATE) ?? [];
  } catch {
    // Unreadable is as good as not there: then Bun's own list is what there is.
    return [];
  }
}

function filesIn(directory: string): readonly string[] {
  try {
    const names = readdirSync(directory).slice(0, DIRECTORY_COUNT_MAX);
    return names.map((name) => `${directory}/${name}`);
  } catch {
    return [];
  }
}

const bare = (pem: string): string => pem.replace(/\s/g, "");
