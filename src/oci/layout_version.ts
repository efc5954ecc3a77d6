/** The file `oci-layout`, which says what the files beside it mean (image-spec, image-layout.md#oci-layout-file). */
import { optionalString, parseJsonObject, show } from "./json.ts";

/** @throws {SyntaxError} for a version that may mean something else */
export function checkLayoutVersion(bytes: Uint8Array): void {
  const version = optionalString(parseJsonObject(bytes, "oci-layout"), "imageLayoutVersion", "oci-layout");
  if (!/^1\.[0-9]+\.[0-9]+$/.test(version ?? ""))
    throw new SyntaxError(`Cannot read oci-layout: version ${show(version)}, not 1.0.0`);
}
