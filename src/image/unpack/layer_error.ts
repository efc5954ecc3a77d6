/** What can be wrong with a layer, as opposed to what can go wrong with a disk while it is unpacked. */
import { BunkerError } from "../../errors.ts";
import { type ByteString, quoteBytes } from "../../fs/byte_string.ts";
import { SyscallError } from "../../linux/call.ts";
import { TarError } from "../tar/entry.ts";

/** A layer asks for something that no honest layer does; the message names the entry and what it tried. */
export class LayerError extends BunkerError {
  readonly code = "LAYER_INVALID";

  constructor(entry: ByteString, tried: string) {
    super(`Cannot unpack entry ${quoteBytes(entry)}: ${tried}`, {
      hint: "Do not use this image: report it to whoever published it",
    });
  }
}

/** An entry could not be written. */
export class UnpackError extends BunkerError {
  readonly code = "UNPACK_FAILED";
}

/** True when the archive itself is at fault, and not what it is written to. */
export function isLayerFault(error: unknown): boolean {
  return error instanceof LayerError || error instanceof TarError;
}

const HINTS: Readonly<Record<string, string>> = {
  E2BIG:
    'Its extended attributes are more than this file system keeps: use another one, or "layers": "erofs"',
  EINVAL: "Give the user more subordinate ids in /etc/subuid and /etc/subgid",
  EPERM: "Run as root, or as a user with subordinate ids",
};

/** Wraps what the kernel refused while `entry` was written; other errors are passed through. */
export function unpackError(entry: ByteString, cause: unknown): unknown {
  if (!(cause instanceof SyscallError)) return cause;
  const hint = HINTS[cause.code];
  const details = hint === undefined ? { cause } : { cause, hint };
  return new UnpackError(`Cannot unpack entry ${quoteBytes(entry)}: ${cause.code}`, details);
}
