/**
 * Questions about the files of an image: what a directory holds, and which layer brought a file. The layers are read as
 * they lie in the store, nothing is mounted. As an ordinary user a second process looks, as root of a user namespace: there
 * files have the owners that the image gives them, and can all be read.
 */
import { ENOENT } from "../linux/abi/errno.ts";
import { SyscallError } from "../linux/call.ts";
import type { EngineContext } from "./context.ts";
import { dataRoot } from "./directories.ts";
import { ImageGoneError } from "./image_gone.ts";
import { type ImageFile, listFiles } from "./list_files.ts";
import { getLocalImage } from "./local_image.ts";
import { idMapsOfUser } from "./rootless.ts";
import { type FileTrace, traceFile } from "./trace_file.ts";
import { askTask } from "./user_namespace_task.ts";
import type { ViewQuestion } from "./view_layers.ts";

/** What to list. */
export type ListRequest = Omit<ViewQuestion, "kind">;

/**
 * Lists what a directory of an image holds, sorted by bytes, or a file itself.
 * With `isRecursive` each directory is followed by what is in it.
 */
export async function listImageFiles(request: ListRequest, context: EngineContext): Promise<ImageFile[]> {
  return (await askImage({ kind: "list", ...request }, context)) as ImageFile[];
}

/**
 * Follows a path of an image through its layers, from the top. The first that is `shown` is what a container sees; when
 * the first `removes`, the image has no such file any more.
 * @throws {NoSuchPathError} when no layer has, or removes, it
 */
export async function traceImageFile(
  image: string,
  path: string,
  context: EngineContext,
): Promise<FileTrace[]> {
  const question = { kind: "trace", image, path, isRecursive: false, followLast: false } as const;
  return (await askImage(question, context)) as FileTrace[];
}

/**
 * Asks about an image.
 * @returns answers in order; their shape is that of the question's kind
 * @throws {NoSuchImageError} {NoSuchPathError} {ImageGoneError}
 */
async function askImage(question: ViewQuestion, context: EngineContext): Promise<unknown[]> {
  const root = dataRoot(context);
  if (process.getuid?.() === 0) return answerHere(root, question);
  // Here too: an error about a name is then one of the caller's own.
  getLocalImage(root, question.image);
  return await askTask({ kind: "view", root, question }, idMapsOfUser());
}

/** Answers as the user that this process is, root of some namespace. */
export function answerHere(root: string, question: ViewQuestion): unknown[] {
  const image = getLocalImage(root, question.image);
  try {
    return question.kind === "list" ? listFiles(root, image, question) : traceFile(root, image, question);
  } catch (error) {
    // What lies in a layer never goes alone.
    if (error instanceof SyscallError && error.errno === ENOENT) throw new ImageGoneError();
    throw error;
  }
}
