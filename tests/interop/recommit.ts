/**
 * Layers that peers write: a tree of one random image is put in the place of another's, and umoci or buildah say what has
 * changed. Their archives have what Go writes, in its order.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { type BuiltDocument, buildImage, sha256Digest } from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";

/** Who writes the second layer. */
export type Writer = "umoci" | "buildah";

/** A place for one image, and its first and last state. */
export interface Recommit {
  /** A new directory; the caller removes it. */
  readonly directory: string;
  readonly before: ReadonlyArray<readonly TarEntry[]>;
  readonly after: ReadonlyArray<readonly TarEntry[]>;
}

/** Makes an image of two states. @returns the image as the peer wrote it */
export async function recommit(
  writer: Writer,
  { directory, before, after }: Recommit,
): Promise<BuiltDocument> {
  mkdirSync(directory);
  const imageOf = (layers: ReadonlyArray<readonly TarEntry[]>): BuiltDocument =>
    buildImage({ layers: layers.map((entries) => ({ entries })) });
  writeOciLayout(`${directory}/layout`, { before: imageOf(before), after: imageOf(after) });
  for (const state of ["before", "after"]) {
    await Bun.$`umoci raw unpack --image ${directory}/layout:${state} ${directory}/${state}`.quiet();
  }
  await (writer === "umoci" ? byUmoci(directory) : byBuildah(directory));
  return readLayout(`${directory}/layout`, "latest");
}

async function byUmoci(directory: string): Promise<void> {
  await Bun.$`umoci unpack --image ${directory}/layout:before ${directory}/bundle`.quiet();
  await replaceTree(`${directory}/bundle/rootfs`, `${directory}/after`);
  await Bun.$`umoci repack --image ${directory}/layout:latest ${directory}/bundle`.quiet();
}

async function byBuildah(directory: string): Promise<void> {
  const store = ["--root", `${directory}/root`, "--runroot", `${directory}/run`, "--storage-driver=overlay"];
  const environment = { PATH: process.env["PATH"] ?? "", HOME: directory, TMPDIR: directory };
  const buildah = async (...words: string[]): Promise<string> =>
    (await Bun.$`buildah ${store} ${words}`.cwd(directory).env(environment).quiet()).stdout.toString().trim();
  try {
    // Both layers are its own: it cannot give back every layer of others with the same digest.
    let image = "scratch";
    for (const state of ["before", "after"]) {
      const container = await buildah("from", "--pull-never", image);
      await replaceTree(await buildah("mount", container), `${directory}/${state}`);
      image = await buildah("commit", "-q", container);
    }
    await buildah("push", "-q", image, "oci:layout:latest");
  } finally {
    await buildah("umount", "--all");
    await Bun.$`umount -l ${directory}/root/overlay`.quiet().nothrow();
  }
}

/** Everything goes, and comes again with all of its attributes. */
async function replaceTree(root: string, source: string): Promise<void> {
  await Bun.$`find ${root} -mindepth 1 -delete`.quiet();
  await Bun.$`cp -a ${source}/. ${root}/`.quiet();
}

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
}

function readLayout(layout: string, tag: string): BuiltDocument {
  const read = (digest: string): Uint8Array => readFileSync(`${layout}/blobs/${digest.replace(":", "/")}`);
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  const { digest, mediaType } = manifests.find(
    ({ annotations }: { annotations?: Record<string, string> }) =>
      annotations?.["org.opencontainers.image.ref.name"] === tag,
  ) as Descriptor;
  const bytes = read(digest);
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString("utf8"));
  const blobs = [config, ...layers].map((each: Descriptor) => [each.digest, read(each.digest)] as const);
  return {
    mediaType,
    bytes,
    digest: sha256Digest(bytes),
    blobs: new Map(blobs),
    manifests: new Map([[digest, { mediaType, bytes }]]),
  };
}
