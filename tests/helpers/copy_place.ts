/** Two registries on loopback and a directory, and copies between them with short waits. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { openArchive } from "../../src/image/copy/archive_source.ts";
import { ArchiveTarget } from "../../src/image/copy/archive_target.ts";
import { type CopiedImage, type CopyOptions, copyImage } from "../../src/image/copy/copy.ts";
import { LayoutSource } from "../../src/image/copy/layout_source.ts";
import { LayoutTarget } from "../../src/image/copy/layout_target.ts";
import type { CopySource, CopyTarget } from "../../src/image/copy/place.ts";
import { parsePlaceName } from "../../src/image/copy/place_name.ts";
import { RegistrySource } from "../../src/image/copy/registry_source.ts";
import { RegistryTarget } from "../../src/image/copy/registry_target.ts";
import type { PushProgress } from "../../src/image/push_progress.ts";
import type { WriterOptions } from "../../src/registry/writer.ts";
import { type FakeRegistry, type RegistryOptions, serveRegistry } from "./fake_registry.ts";
import { type BuiltDocument, descriptorOf, sha256Digest } from "./image_builder.ts";

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const EMPTY_CONFIG = "application/vnd.oci.empty.v1+json";

/** What to copy, other than the default: the image for one platform, without what refers to it. */
export type CopyWish = Partial<Pick<CopyOptions, "choice" | "referrers">> & {
  /** Everything: an index too [false]. */
  readonly all?: boolean;
  readonly client?: WriterOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PushProgress) => void;
};

const AMD64 = { platform: { os: "linux", architecture: "amd64" }, isAsked: false };

/** Disposing of it stops the registries and removes the directory. */
export class CopyPlace implements AsyncDisposable {
  readonly directory = mkdtempSync(`${tmpdir()}/bunker-copy-`);
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;

  constructor(images: Readonly<Record<string, BuiltDocument>>, to: RegistryOptions = {}) {
    this.from = serveRegistry({ images });
    this.to = serveRegistry(to);
  }

  /** Copies between places as the command line names them; `from/…` and `to/…` stand for the two registries. */
  async copy(from: string, to: string, wish: CopyWish = {}): Promise<CopiedImage> {
    const { all = false, choice = AMD64, referrers, onProgress } = wish;
    const signal = wish.signal ?? new AbortController().signal;
    const client = {
      retry: { firstDelayMs: 5, totalDelayMsMax: 500 },
      timeouts: { connectMs: 10_000, responseMs: 10_000, stallMs: 1000 },
      ...wish.client,
      signal,
    };
    await using source = await this.#source(from, client, signal);
    await using target = await this.#target(to, client, signal);
    return await copyImage({
      ...{ source, target, signal, referrers, onProgress },
      choice: all ? undefined : choice,
    });
  }

  /** What the registry that is copied to is asked, without what is only looked at. */
  writes(): string[] {
    return this.to.requests
      .filter(({ method }) => method !== "HEAD")
      .map(({ method, path }) => `${method} ${path}`);
  }

  /** Bytes of a file below the directory. */
  read(path: string): Buffer {
    return readFileSync(`${this.directory}/${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.from.stop(), this.to.stop()]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #resolve(name: string): string {
    return name.replace(/^from\//, `${this.from.host}/`).replace(/^to\//, `${this.to.host}/`);
  }

  async #source(name: string, client: WriterOptions, signal: AbortSignal): Promise<CopySource> {
    const place = parsePlaceName(this.#resolve(name), this.directory);
    if (place.kind === "archive") return openArchive(place, signal);
    return place.kind === "registry"
      ? new RegistrySource(place.reference, client, signal)
      : new LayoutSource(place);
  }

  async #target(name: string, client: WriterOptions, signal: AbortSignal): Promise<CopyTarget> {
    const place = parsePlaceName(this.#resolve(name), this.directory);
    if (place.kind === "archive") return new ArchiveTarget(place);
    return place.kind === "registry"
      ? new RegistryTarget(place.reference, client)
      : LayoutTarget.open(place, signal);
  }
}

/** A manifest without an image: it refers to `subject`, and holds `data`. */
export function buildArtifact(artifactType: string, data: string, subject?: BuiltDocument): BuiltDocument {
  const [config, content] = ["{}", data].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  const blob = (mediaType: string, bytes: Uint8Array) => ({
    mediaType,
    digest: sha256Digest(bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: blob(EMPTY_CONFIG, config),
    layers: [blob("text/plain", content)],
    ...(subject === undefined ? {} : { subject: descriptorOf(subject) }),
    annotations: { note: data },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const digest = sha256Digest(bytes);
  return {
    mediaType: OCI_MANIFEST,
    bytes,
    digest,
    blobs: new Map([config, content].map((each) => [sha256Digest(each), each])),
    manifests: new Map([[digest, { mediaType: OCI_MANIFEST, bytes }]]),
  };
}
