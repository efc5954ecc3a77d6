/** A data root and a registry on loopback to pull from. */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { type PullOptions, pullImage } from "../../src/image/pull.ts";
import type { PullResult } from "../../src/image/store_image.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { parseReference, type Reference } from "../../src/oci/reference.ts";
import { type FakeRegistry, type RegistryOptions, serveRegistry } from "./fake_registry.ts";
import { type BuiltDocument, buildImage, type ImageSpec } from "./image_builder.ts";
import { layerPreference } from "./layer_preference.ts";

export class PullSandbox implements AsyncDisposable {
  readonly path = mkdtempSync(`${tmpdir()}/bunker-pull-`);
  readonly root = `${this.path}/root`;
  readonly registry: FakeRegistry;

  private constructor(registry: FakeRegistry) {
    this.registry = registry;
  }

  /** Serves images by `repository:tag`. */
  static serve(
    images: Readonly<Record<string, BuiltDocument | ImageSpec>>,
    options: Omit<RegistryOptions, "images"> = {},
  ): PullSandbox {
    const documents = Object.entries(images).map(([name, image]) => [
      name,
      "layers" in image && "blobs" in image === false ? buildImage(image) : (image as BuiltDocument),
    ]);
    return new PullSandbox(serveRegistry({ images: Object.fromEntries(documents), ...options }));
  }

  reference(name = "app:latest"): Reference {
    return parseReference(`${this.registry.host}/${name}`);
  }

  /** Pulls `app:latest` unless told otherwise, with short waits. */
  pull(options: Partial<PullOptions> = {}): Promise<PullResult> {
    return pullImage({
      reference: this.reference(),
      root: this.root,
      layers: layerPreference,
      client: {
        retry: { firstDelayMs: 5, totalDelayMsMax: 200 },
        timeouts: { connectMs: 1000, responseMs: 1000, stallMs: 1000 },
      },
      ...options,
    });
  }

  /** Everything of the store that is content or refers to it: files and directories below these, with their names. */
  content(): string[] {
    return ["refs", "layers", "l", "tmp", "blobs/sha256"].flatMap((directory) => {
      const path = `${this.root}/${directory}`;
      return existsSync(path) ? readdirSync(path).map((name) => `${directory}/${name}`) : [];
    });
  }

  /** How often blobs were asked for, by digest. */
  blobRequests(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { method, path } of this.registry.requests) {
      const digest = /\/blobs\/(sha256:[0-9a-f]+)/.exec(path)?.[1];
      if (method === "GET" && digest !== undefined) counts.set(digest, (counts.get(digest) ?? 0) + 1);
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    removeTree({ dirfd: AT_FDCWD, path: this.path });
  }
}
