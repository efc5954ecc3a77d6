/**
 * Names of places on a command line: a registry's image as everywhere, and the words of skopeo for files:
 *
 *     alpine:3.22                 docker://localhost:5000/tools      images of registries
 *     oci:DIRECTORY[:TAG]         oci-archive:FILE[:TAG]             OCI layouts, as directory and as tar file
 *     docker-archive:FILE[:NAME]                                     what docker save writes
 */
import { UsageError } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { formatReference, parseReference, type Reference } from "../../oci/reference.ts";
import type { ArchiveForm, ArchiveName } from "./archive_name.ts";
import type { LayoutName } from "./layout_source.ts";

/** Where an image is, or shall be. */
export type PlaceName =
  | { readonly kind: "registry"; readonly reference: Reference }
  | ({ readonly kind: "layout" } & LayoutName)
  | ({ readonly kind: "archive" } & ArchiveName);

/** Places of skopeo that are none here. */
const OTHERS = /^(?:atomic|containers-storage|dir|docker-daemon|ostree|sif|tarball):/;
/** As the image specification has it (annotations.md), which allows no two separators in a row. */
const TAG = /^[A-Za-z0-9]+(?:(?:[-._:@/+]|--)[A-Za-z0-9]+)*$/;
const TAG_LENGTH_MAX = 512;

/**
 * Parses the name of a place.
 * @param directory absolute: what a relative path is relative to
 * @throws {UsageError} {SyntaxError}
 */
export function parsePlaceName(text: string, directory: string): PlaceName {
  if (text.includes("\0"))
    throw new UsageError(`Cannot copy from or to ${JSON.stringify(text)}: it has a NUL in it`);
  if (OTHERS.test(text)) {
    throw new UsageError(
      `Cannot copy from or to "${text}": places are registries, "oci:", "oci-archive:" and "docker-archive:"`,
      { hint: `For an image of that name write "docker://${text}"` },
    );
  }
  if (text.startsWith("oci:")) return { kind: "layout", ...parseLayout(text, directory) };
  const [, form, rest = ""] = /^(oci-archive|docker-archive):(.*)$/s.exec(text) ?? [];
  if (form === "oci-archive" || form === "docker-archive")
    return { kind: "archive", form, ...parseArchive(text, { form, rest, directory }) };
  return { kind: "registry", reference: parseReference(text.replace(/^docker:\/\//, "")) };
}

function parseLayout(text: string, directory: string): LayoutName {
  const [, path = "", tag, digest] = /^oci:([^:]*?)(?::(.*?))?(?:@(sha256:[0-9a-f]{64}))?$/s.exec(text) ?? [];
  if (path === "") throw new UsageError(`Cannot copy from or to "${text}": the directory is missing`);
  return {
    directory: absolute(path, directory),
    tag: checkTag(text, tag),
    digest: digest !== undefined && isDigest(digest) ? digest : undefined,
  };
}

interface ArchiveParts {
  readonly form: ArchiveForm;
  /** Behind the first colon. */
  readonly rest: string;
  readonly directory: string;
}

function parseArchive(
  text: string,
  { form, rest, directory }: ArchiveParts,
): Pick<ArchiveName, "file" | "tag"> {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const name = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "") throw new UsageError(`Cannot copy from or to "${text}": the file is missing`);
  const file = absolute(path, directory);
  if (form === "oci-archive" || name === undefined) return { file, tag: checkTag(text, name) };
  const reference = parseReference(name);
  if (reference.digest === undefined) return { file, tag: formatReference(reference) };
  throw new UsageError(
    `Cannot copy from or to "${text}": an archive of docker's form has no digests for names`,
  );
}

function checkTag(text: string, tag: string | undefined): string | undefined {
  if (tag === undefined || (TAG.test(tag) && tag.length <= TAG_LENGTH_MAX)) return tag;
  throw new UsageError(`Cannot copy from or to "${text}": ${JSON.stringify(tag)} is no tag of a layout`);
}

const absolute = (path: string, directory: string): string =>
  path.startsWith("/") ? path : `${directory}/${path}`;
