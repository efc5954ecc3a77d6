/** What a registry holds under a name, as it is, and that all that it names is there. */
const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join();

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A manifest, and the bytes that it is. */
export interface Content {
  readonly bytes: Buffer;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The document that a name stands for. */
export async function documentAt(url: string, repository: string, reference: string): Promise<Buffer> {
  const reply = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    headers: { Accept: ACCEPT },
  });
  if (!reply.ok) throw new Error(`${repository}:${reference}: ${reply.status} ${await reply.text()}`);
  return Buffer.from(await reply.arrayBuffer());
}

/** Reads a manifest; of an index that for this machine. @throws {Error} when a blob is missing */
export async function manifestOf(url: string, repository: string, reference: string): Promise<Content> {
  const bytes = await documentAt(url, repository, reference);
  const { manifests, config, layers } = JSON.parse(bytes.toString("utf8")) as Content & Index;
  if (manifests !== undefined) {
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const entry = manifests.find(({ platform }) => platform?.architecture === architecture);
    return manifestOf(url, repository, entry?.digest ?? "");
  }
  for (const { digest, size } of [config, ...layers]) {
    const head = await fetch(`${url}/v2/${repository}/blobs/${digest}`, { method: "HEAD" });
    const length = Number(head.headers.get("content-length"));
    if (!head.ok || length !== size) throw new Error(`${repository}: ${digest} is not whole`);
  }
  return { bytes, config, layers };
}

interface Index {
  readonly manifests?: ReadonlyArray<Descriptor & { readonly platform?: { readonly architecture: string } }>;
}
