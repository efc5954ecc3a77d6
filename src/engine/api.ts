/**
 * The library: `import { run } from "bunker"`. The same engine as the command line's; options have the same defaults, and
 * the thread goes on with other work while a container runs.
 *
 *     const { exitCode } = await run({ image: "alpine", command: ["echo", "hey"] });
 *     const { stdout } = await capture({ image: "alpine", command: ["cat", "/etc/os-release"] });
 *     for (const { repository, tag } of await images()) console.log(repository, tag);
 */
import type { EngineContext } from "./context.ts";
import type { HistoryStep } from "./history.ts";
import type { ImageInspection } from "./inspect_image.ts";
import { defaultRunOptions, type RunOptions } from "./options/run_options.ts";
import type { RemovedImages } from "./remove_image.ts";
import type { ImageSummary, RunResult } from "./summary.ts";

/** An image, and whatever of the options is not to be the default. */
export type RunRequest = Partial<RunOptions> & Pick<RunOptions, "image">;

/** Where data lies; see {@link EngineContext}. */
export type LibraryContext = Partial<Pick<EngineContext, "root" | "state" | "config" | "debug">>;

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
