/** What tests of the registry client share: a small image, a client that loses no time, and errors as values. */
import { parseReference, type Reference } from "../../src/oci/reference.ts";
import type { BlobRequest } from "../../src/registry/blob.ts";
import { RegistryClient, type RegistryClientOptions } from "../../src/registry/client.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import type { FakeRegistry } from "./fake_registry.ts";
import { type BuiltImage, buildImage } from "./image_builder.ts";

/** Bytes that do not compress: the blob of a layer that holds them is a little larger. */
export function noise(byteCount: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteCount);
  for (let offset = 0; offset < byteCount; offset += 65_536) {
    crypto.getRandomValues(bytes.subarray(offset, offset + 65_536));
  }
  return bytes;
}

/** An image with one layer of about `layerBytes`. */
export function noisyImage(layerBytes = 100_000): BuiltImage {
  return buildImage({
    layers: [{ entries: [{ name: "noise", data: noise(layerBytes) }], compression: "none" }],
  });
}

/**
 * A client that waits milliseconds where the default waits seconds; longer where one silence is the end, since a machine may
 * be slow.
 */
export function impatientClient(options: RegistryClientOptions = {}): RegistryClient {
  return new RegistryClient({
    ...options,
    retry: { firstDelayMs: 5, totalDelayMsMax: 1000, ...options.retry },
    timeouts: { connectMs: 3000, responseMs: 3000, stallMs: 300, ...options.timeouts },
  });
}

/** `app:latest` of a fake registry. */
export function appOf(registry: FakeRegistry, name = "app:latest"): Reference {
  return parseReference(`${registry.host}/${name}`);
}

/** Has a Worker fetch a blob. @returns its digest, or the text of the error */
export async function fetchInWorker(request: BlobRequest): Promise<string> {
  const worker = new Worker(new URL("./blob_worker.ts", import.meta.url).href);
  const { promise, resolve } = Promise.withResolvers<string>();
  worker.onmessage = ({ data }: MessageEvent<string>) => resolve(data);
  worker.onerror = ({ message }) => resolve(message);
  worker.postMessage(request);
  try {
    return await promise;
  } finally {
    worker.terminate();
  }
}

/** The {@link RegistryError} that a promise is rejected with. */
export async function registryErrorOf(promise: Promise<unknown>): Promise<RegistryError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
  throw new Error("expected a RegistryError, but all went well");
}
