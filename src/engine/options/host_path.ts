/** Makes paths of the host absolute. node:path is left alone: loading it costs a start more than this does. */
import { normalisePath } from "./container_path.ts";

/** An absolute path without `.`, `..` or double slashes; a relative `text` starts at the working directory. */
export function resolveHostPath(text: string): string {
  return normalisePath(text.startsWith("/") ? text : `${process.cwd()}/${text}`);
}
