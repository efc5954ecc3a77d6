/**
 * An image of an archive, to be copied from there. An archive can only be read from its beginning, and may be compressed:
 * it is taken apart into an OCI layout in a temporary directory, which goes with the source.
 */
import { createReadStream, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { blobPath, digestOfBytes } from "../../oci/digest.ts";
import { parseJsonObject } from "../../oci/json.ts";
import { formatReference } from "../../oci/reference.ts";
import { findImages } from "../archive/archive_images.ts";
import { type ArchiveFiles, readArchive } from "../archive/read_archive.ts";
import { ArchiveDirectory } from "./archive_directory.ts";
import { type ArchiveName, formatArchive } from "./archive_name.ts";
import { CopyError } from "./copy_error.ts";
import { EMPTY_INDEX, REF_NAME, readSmall } from "./layout.ts";
import { LayoutSource } from "./layout_source.ts";

/**
 * Takes an archive apart.
 * @throws {ArchiveError} {TarError} {CompressionError} when it is none, {CopyError} when it has no such image
 */
export async function openArchive(name: ArchiveName, signal: AbortSignal): Promise<LayoutSource> {
  if (!existsSync(name.file)) throw new CopyError(`Cannot read "${name.file}": there is no such file`);
  using stack = new DisposableStack();
  const { path: directory } = stack.use(new ArchiveDirectory());
  const [parts, layout] = [`${directory}/parts`, `${directory}/layout`];
  mkdirSync(parts);
  const files = await readArchive(createReadStream(name.file), parts, signal);
  const index = await indexOf(files, name);
  mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
  // Whatever its name in the archive, content is found by its digest.
  for (const { path, digest } of files.all)
    if (existsSync(path)) renameSync(path, `${layout}/${blobPath(digest)}`);
  for (const bytes of index.made) writeFileSync(`${layout}/${blobPath(digestOfBytes(bytes))}`, bytes);
  writeFileSync(`${layout}/index.json`, index.bytes);
  writeFileSync(`${layout}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const source = new LayoutSource({ directory: layout, tag: name.tag }, formatArchive(name));
  return source.owning(stack.move());
}

interface FoundIndex {
  readonly bytes: Uint8Array;
  /** Documents that the archive does not have. */
  readonly made: readonly Uint8Array[];
}

/** The archive's own index; of docker's form one that names its images as it does. */
async function indexOf(files: ArchiveFiles, { form }: ArchiveName): Promise<FoundIndex> {
  const own = files.find("index.json");
  const bytes = own === undefined || files.find("oci-layout") === undefined ? undefined : readSmall(own.path);
  const hasImages = bytes !== undefined && parseJsonObject(bytes, "index.json")["manifests"] !== null;
  if (form === "oci-archive" && hasImages) return { bytes, made: [] };
  const images = await findImages(files);
  const manifests = images.flatMap(({ names, resolved: { manifestDocument } }) => {
    const { mediaType, digest, bytes: document } = manifestDocument;
    const entry = { mediaType, digest, size: document.length };
    const named = names.map((each) => ({ ...entry, annotations: { [REF_NAME]: formatReference(each) } }));
    return named.length === 0 ? [entry] : named;
  });
  return {
    bytes: Buffer.from(JSON.stringify({ ...EMPTY_INDEX.top, manifests })),
    made: images.map(({ resolved }) => resolved.manifestDocument.bytes),
  };
}
