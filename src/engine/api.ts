/**
 * The library: `import { run } from "bunker"`. The same engine as the command line's; options have the same defaults, and
 * the thread goes on with other work while a container runs.
 *
 *     const { exitCode } = await run({ image: "alpine", command: ["echo", "hey"] });
 *     const { stdout } = await capture({ image: "alpine", command: ["cat", "/etc/os-release"] });
 *     for await (const { layer, current, total } of pull("alpine")) console.log(layer, current, total);
 *     for (const { repository, tag } of await images()) console.log(repository, tag);
 */
import { open, unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { BunkerError } from "../errors.ts";
import type { EngineContext } from "./context.ts";
import type { HistoryStep } from "./history.ts";
import type { ImageTree } from "./image_tree.ts";
import type { ImageInspection } from "./inspect_image.ts";
import type {
  Cancellable,
  CommitOptions,
  CopyImageRequest,
  ImportImageOptions,
  LibraryContext,
  PullOptions,
  PushOptions,
} from "./library_options.ts";
import type { ImageFile } from "./list_files.ts";
import type { LoadedImage, LoadRequest } from "./load_images.ts";
import type { MountedImage } from "./mount_image.ts";
import { type Operation, operation } from "./operation.ts";
import { defaultRunOptions, type RunOptions } from "./options/run_options.ts";
import type { LayerProgress } from "./progress.ts";
import type { RemovedImages } from "./remove_image.ts";
import type { SaveRequest } from "./save_images.ts";
import type { CopyResult, ImageSummary, PullResult, PushResult, RunResult } from "./summary.ts";
import type { FileTrace } from "./trace_file.ts";

export type {
  Cancellable,
  CommitOptions,
  CopyImageRequest,
  CopyResult,
  FileTrace,
  HistoryStep,
  ImageFile,
  ImageInspection,
  ImageSummary,
  ImageTree,
  ImportImageOptions,
  LayerProgress,
  LibraryContext,
  LoadedImage,
  LoadRequest,
  MountedImage,
  Operation,
  PullOptions,
  PullResult,
  PushOptions,
  PushResult,
  RemovedImages,
  RunOptions,
  RunResult,
  SaveRequest,
};
/** What every function throws: its `code` is one of docs/errors.md. */
export { BunkerError };

/** An image, and whatever of the options is not to be the default. */
export type RunRequest = Partial<RunOptions> & Pick<RunOptions, "image">;

/** A container's end with all that it wrote. */
export interface Captured extends RunResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * Runs a container to its end. Standard streams are this process's own.
 * @throws {BunkerError} when the image is not to be had, or the container cannot be started.
 */
export async function run(request: RunRequest, context: LibraryContext = {}): Promise<RunResult> {
  const engine = await import("./run.ts");
  return engine.run({ ...defaultRunOptions, ...request }, { debug: false, ...context, embedded: true });
}

/**
 * Runs a container to its end and keeps what it writes, byte by byte.
 * @throws {BunkerError} as {@link run}.
 */
export async function capture(request: RunRequest, context: LibraryContext = {}): Promise<Captured> {
  const [engine, { pipe2 }, { call }] = await Promise.all([
    import("./run.ts"),
    import("../linux/pipe.ts"),
    import("../linux/call.ts"),
  ]);
  const pipes = [pipe2(), pipe2()] as const;
  const contents = pipes.map(({ read }) => Bun.file(read).bytes());
  try {
    const outputs = [pipes[0].write, pipes[1].write] as const;
    const options = { ...defaultRunOptions, ...request };
    const result = await engine.run(options, { debug: false, ...context, embedded: true, outputs });
    for (const { write } of pipes) call("close", write);
    const [stdout, stderr] = (await Promise.all(contents)) as [Uint8Array, Uint8Array];
    return { ...result, stdout, stderr };
  } catch (error) {
    for (const { write } of pipes) call("close", write);
    await Promise.all(contents);
    throw error;
  } finally {
    for (const { read } of pipes) call("close", read);
  }
}

/**
 * Pulls an image, or finds that it is here already. Steps are those of its layers.
 * @throws {BunkerError} when the registry does not have it, or a layer is damaged or hostile: nothing has changed then.
 */
export function pull(
  name: string,
  options: PullOptions = {},
  context: LibraryContext = {},
): Operation<PullResult, LayerProgress> {
  return operation(async (report) => {
    const engine = await import("./pull.ts");
    const observer = { begin: ignore, layer: byLayer(report), end: ignore };
    const request = { platform: options.platform, tlsVerify: options.tlsVerify, observer };
    return await engine.pull(name, request, cancellable(options, context));
  });
}

/**
 * Pushes a local image to the registry that its name says, or with `allTags` all of a repository.
 * @throws {BunkerError} when it is not here, or the registry does not take it.
 */
export function push(
  name: string,
  options: PushOptions = {},
  context: LibraryContext = {},
): Operation<PushResult[], LayerProgress> {
  return operation(async (report) => {
    const engine = await import("./push.ts");
    const observer = { begin: ignore, layer: byLayer(report), end: ignore };
    const { allTags = false, platform, tlsVerify } = options;
    const request = { allTags, platform, tlsVerify, observer };
    return await engine.push(name, request, cancellable(options, context));
  });
}

/**
 * Local images as the bytes of one archive that docker, podman and skopeo read; made while it is read:
 *
 *     await Bun.write("app.tar", new Response(saveImages(["app"])));
 *
 * The stream fails with a {@link BunkerError} when an image is not here, or damaged.
 */
export function saveImages(
  names: readonly string[],
  options: SaveRequest = {},
  context: LibraryContext = {},
): ReadableStream<Uint8Array> {
  let chunks: Iterator<Uint8Array> | undefined;
  return new ReadableStream({
    async pull(controller) {
      chunks ??= (await import("./save_images.ts")).saveImages(names, { debug: false, ...context }, options);
      const { value, done } = chunks.next();
      if (done === true) controller.close();
      // A chunk is only valid until the next one is asked for.
      else controller.enqueue(value.slice());
    },
    cancel: () => void chunks?.return?.(),
  });
}

/**
 * Loads the images of an archive.
 * @param file path
 * @throws {BunkerError} when it is no archive of images, or hostile: nothing has changed then.
 */
export async function loadImages(
  file: string,
  options: Cancellable & LoadRequest = {},
  context: LibraryContext = {},
): Promise<LoadedImage[]> {
  const engine = await import("./load_images.ts");
  return engine.loadImages(resolve(file), cancellable(options, context), options);
}

/**
 * Copies an image byte by byte, without the store.
 * @throws {BunkerError} when it is not there, or the target does not take it.
 */
export function copyImage(
  request: CopyImageRequest,
  context: LibraryContext = {},
): Operation<CopyResult, LayerProgress> {
  return operation(async (report) => {
    const engine = await import("./copy_image.ts");
    const { from, to, all = false, platform, referrers = false, tlsVerify } = request;
    const observer = { begin: ignore, layer: byLayer(report), end: ignore };
    const options = { all, platform, referrers, artifactTypes: [], observer, tlsVerify };
    return await engine.copyImage([from, to], options, cancellable(request, context));
  });
}

/**
 * Writes all files that an image shows as one archive without layers.
 * @param options.output path of a new file
 * @throws {BunkerError} when the image is not here, or damaged; there is no file then.
 */
export async function exportImage(
  image: string,
  options: Cancellable & { readonly output: string },
  context: LibraryContext = {},
): Promise<void> {
  const engine = await import("./export.ts");
  const output = await open(options.output, "wx", 0o600);
  try {
    await engine.exportImage(image, output.fd, cancellable(options, context));
  } catch (error) {
    await unlink(options.output);
    throw error;
  } finally {
    await output.close();
  }
}

/**
 * Makes an image of one layer of an archive of files, plain, gzip or zstd.
 * @param source path or http(s) URL
 * @returns the id of the image
 * @throws {BunkerError} when it is no archive, or hostile: nothing has changed then.
 */
export async function importImage(
  source: string,
  options: ImportImageOptions = {},
  context: LibraryContext = {},
): Promise<string> {
  const { reference, changes = [], message, platform } = options;
  const request = { source, reference, changes, message, platform, createdAt: undefined };
  return (await import("./import.ts")).importImage(request, cancellable(options, context));
}

/**
 * Makes an image of a running container: its own image, with what it has changed as one layer more.
 * @param container its name or id
 * @returns the id of the image
 * @throws {BunkerError} when there is no such container, or it ended meanwhile: nothing has changed then.
 */
export async function commit(
  container: string,
  options: CommitOptions = {},
  context: LibraryContext = {},
): Promise<string> {
  const { reference, author, message, changes = [], pause } = options;
  const request = { reference, author, message, changes, pause, createdAt: undefined };
  return (await import("./commit.ts")).commitContainer(container, request, cancellable(options, context));
}

/** Lists the local images, newest first. */
export async function images(context: LibraryContext = {}): Promise<ImageSummary[]> {
  return (await import("./images.ts")).listImages({ debug: false, ...context });
}

/**
 * Tells all that is known about a local image, by its name or id.
 * @throws {BunkerError} when it is not here, or damaged.
 */
export async function inspectImage(image: string, context: LibraryContext = {}): Promise<ImageInspection> {
  return (await import("./inspect_image.ts")).inspectImage(image, { debug: false, ...context });
}

/** Tells the steps that made a local image, newest first. @throws {BunkerError} as {@link inspectImage}. */
export async function imageHistory(image: string, context: LibraryContext = {}): Promise<HistoryStep[]> {
  return (await import("./history.ts")).imageHistory(image, { debug: false, ...context });
}

/**
 * Lists the files at a path of a local image, without running or mounting it: a directory's own entry first, then what it
 * holds. Names are bytes as latin1 text.
 * @throws {BunkerError} when the image is not here, or has no such path.
 */
export async function imageFiles(
  image: string,
  options: { readonly path: string; readonly recursive?: boolean },
  context: LibraryContext = {},
): Promise<ImageFile[]> {
  const path = Buffer.from(options.path).toString("latin1");
  const request = { image, path, isRecursive: options.recursive ?? false, followLast: true };
  return (await import("./image_view.ts")).listImageFiles(request, { debug: false, ...context });
}

/**
 * Tells which layer brought a file, and what those below it had, from the top.
 * @throws {BunkerError} as {@link imageFiles}.
 */
export async function traceImageFile(
  image: string,
  path: string,
  context: LibraryContext = {},
): Promise<FileTrace[]> {
  const bytes = Buffer.from(path).toString("latin1");
  return (await import("./image_view.ts")).traceImageFile(image, bytes, { debug: false, ...context });
}

/** Tells how the local images grow from shared layers. @throws {BunkerError} when one is damaged. */
export async function imageTree(context: LibraryContext = {}): Promise<ImageTree> {
  return (await import("./image_tree.ts")).imageTree(undefined, { debug: false, ...context });
}

/**
 * Mounts a local image read-only, as root. It is in use until {@link unmountImage}.
 * @param directory an existing one [one below the data root]
 * @throws {BunkerError} when the image is not here, or cannot be mounted.
 */
export async function mountImage(
  image: string,
  directory?: string,
  context: LibraryContext = {},
): Promise<MountedImage> {
  return (await import("./mount_image.ts")).mountImage(image, directory, { debug: false, ...context });
}

/** Unmounts an image, or what is mounted at an absolute path. @throws {BunkerError} while somebody is in it. */
export async function unmountImage(word: string, context: LibraryContext = {}): Promise<MountedImage[]> {
  return (await import("./mount_image.ts")).unmountImage(word, { debug: false, ...context });
}

/** Gives a local image another name. @throws {BunkerError} when it is not here. */
export async function tagImage(source: string, target: string, context: LibraryContext = {}): Promise<void> {
  await (await import("./tag.ts")).tagImage(source, target, { debug: false, ...context });
}

/**
 * Removes a name, and the image with its last one; with an id and `force` all names of an image.
 * @throws {BunkerError} when it is not here, or a running container uses it.
 */
export async function removeImage(
  image: string,
  options: { readonly force?: boolean } = {},
  context: LibraryContext = {},
): Promise<RemovedImages> {
  const engine = await import("./remove_image.ts");
  return engine.removeImage(
    image,
    { force: options.force ?? false },
    { debug: false, ...context, embedded: true },
  );
}

const ignore = (): void => undefined;

const byLayer =
  (report: (layer: string, progress: LayerProgress) => void) =>
  (progress: LayerProgress): void =>
    report(progress.layer, progress);

/** The engine's context with the caller's own way to end it. */
function cancellable({ signal }: Cancellable, context: LibraryContext): EngineContext {
  const base = { debug: false, ...context, embedded: true };
  return signal === undefined ? base : { ...base, interruptible: (work) => work(signal) };
}
