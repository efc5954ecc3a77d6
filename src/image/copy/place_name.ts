/**
 * Names of places on a command line: a registry's image as everywhere, and the words of skopeo for files:
 *
 *     alpine:3.22   docker://localhost:5000/tools   oci:DIRECTORY[:TAG]
 */
import { UsageError } from "../../errors.ts";
import { isDigest } from "../../oci/digest.ts";
import { parseReference, type Reference } from "../../oci/reference.ts";
import type { LayoutName } from "./layout_source.ts";

/** Where an image is, or shall be. */
export type PlaceName =
  | { readonly kind: "registry"; readonly reference: Reference }
  | ({ readonly kind: "layout" } & LayoutName);

/** Places of skopeo that are none here. */
const OTHERS =
  /^(atomic|containers-storage|dir|docker-archive|docker-daemon|oci-archive|ostree|sif|tarball):/;
/** As the image specification has it (annotations.md), which allows no two separators in a row. */
const TAG = /^[A-Za-z0-9]+(?:(?:[-._:@/+]|--)[A-Za-z0-9]+)*$/;
const TAG_LENGTH_MAX = 512;

/**
 * Parses the name of a place.
 * @param directory absolute: what a relative path is relative to
 * @throws {UsageError} {SyntaxError}
 */
export function parsePlaceName(text: string, directory: string): PlaceName {
  const [other] = OTHERS.exec(text) ?? [];
  if (other !== undefined) {
    throw new UsageError(
      `Cannot copy from or to "${text}": places are registries and "oci:DIRECTORY[:TAG]"`,
      {
        hint: `For an image of that name write "docker://${text}"`,
      },
    );
  }
  if (text.startsWith("oci:")) return { kind: "layout", ...parseLayout(text, directory) };
  return { kind: "registry", reference: parseReference(text.replace(/^docker:\/\//, "")) };
}

function parseLayout(text: string, directory: string): LayoutName {
  const [, path = "", tag, digest] = /^oci:([^:]*?)(?::(.*?))?(?:@(sha256:[0-9a-f]{64}))?$/s.exec(text) ?? [];
  if (path === "") throw new UsageError(`Cannot copy from or to "${text}": the directory is missing`);
  if (tag !== undefined && (!TAG.test(tag) || tag.length > TAG_LENGTH_MAX))
    throw new UsageError(`Cannot copy from or to "${text}": ${JSON.stringify(tag)} is no tag of a layout`);
  return {
    directory: path.startsWith("/") ? path : `${directory}/${path}`,
    tag,
    digest: digest !== undefined && isDigest(digest) ? digest : undefined,
  };
}
