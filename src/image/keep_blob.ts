/** Brings one blob into a file, byte by byte as it comes, and counts it only when size and digest are right. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOfHex } from "../oci/digest.ts";
import { RegistryError } from "../registry/registry_error.ts";

/** What is expected, and who hears of it. */
export interface KeepOptions {
  readonly descriptor: Descriptor;
  /** Called with the number of bytes that came since the last call. */
  readonly onBytes?: (count: number) => void;
}

/**
 * Writes a blob to the new file `path`; what is left after an error is for the caller to remove.
 * @throws {RegistryError} CONTENT_MISMATCH, and whatever `chunks` throws
 */
export async function keepBlob(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  { descriptor, onBytes = () => undefined }: KeepOptions,
): Promise<void> {
  const { digest, size } = descriptor;
  const hasher = new Bun.CryptoHasher("sha256");
  let came = 0;
  const fd = openSync(path, "wx", 0o600);
  try {
    for await (const chunk of chunks) {
      came += chunk.length;
      if (came > size) throw mismatch(descriptor, `it has more than ${size} bytes`);
      hasher.update(chunk);
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
      onBytes(chunk.length);
    }
  } finally {
    closeSync(fd);
  }
  if (came !== size) throw mismatch(descriptor, `it has ${came} bytes, not ${size}`);
  const found = digestOfHex(hasher.digest("hex"));
  if (found !== digest) throw mismatch(descriptor, `its content is "${found}"`);
}

function mismatch({ digest }: Descriptor, state: string): RegistryError {
  return new RegistryError(`Cannot use blob "${digest}": ${state}`, {
    code: "CONTENT_MISMATCH",
    hint: "Try again; when it stays so, the registry or a proxy serves a damaged blob",
  });
}
