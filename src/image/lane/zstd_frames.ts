/**
 * Tells whether a zstd stream is at its end, by the lengths that it is made of (RFC 8878, 3.1): the decoder of the
 * runtime takes one that is cut short for a shorter one. Where a digest is known this is not needed.
 *
 *     frame      magic  descriptor  [window] [dictionary] [content size]  block…  [checksum]
 *     skippable  magic  length  bytes…
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;
const MAGIC_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const CHECKSUM_SIZE = 4;
const RLE = 1;

/** Bytes of a dictionary's id and of the content's size, by their flags of two bits. */
const DICTIONARY_SIZES = [0, 1, 2, 4];
const CONTENT_SIZES = [0, 2, 4, 8];

type Part = "magic" | "skippable" | "descriptor" | "block" | "between";

/** Follows a stream as it passes by. */
export class ZstdFrames {
  #part: Part = "magic";
  /** Bytes of the stream that are passed over before the next part. */
  #skip = 0;
  /** Little-endian number that gathers over pushes, its bytes so far, and how many it has. */
  #value = 0;
  #gathered = 0;
  #wanted = MAGIC_SIZE;
  #hasChecksum = false;
  #isWhole = false;

  /** True between two frames, when there was one. */
  get isComplete(): boolean {
    return this.#part === "magic" && this.#gathered === 0 && this.#skip === 0 && this.#isWhole;
  }

  /** Follows on. What is no zstd is the decoder's to refuse. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      this.#value += (bytes[at] ?? 0) * 256 ** this.#gathered;
      this.#gathered += 1;
      at += 1;
      if (this.#gathered === this.#wanted) this.#onNumber(this.#value);
    }
  }

  #onNumber(value: number): void {
    if (this.#part === "magic") this.#onMagic(value);
    else if (this.#part === "skippable") this.#next("magic", value);
    else if (this.#part === "descriptor") this.#onDescriptor(value);
    else this.#onBlock(value);
  }

  #onMagic(value: number): void {
    if (value >>> 4 === SKIPPABLE_MAGIC) this.#next("skippable", 0);
    else if (value === MAGIC) this.#next("descriptor", 0);
    else this.#next("between", Number.POSITIVE_INFINITY);
  }

  #onDescriptor(value: number): void {
    const isSingle = (value & 0x20) !== 0;
    const contentFlag = value >>> 6;
    const content = contentFlag === 0 && isSingle ? 1 : (CONTENT_SIZES[contentFlag] ?? 0);
    this.#hasChecksum = (value & 0x04) !== 0;
    this.#next("block", (isSingle ? 0 : 1) + (DICTIONARY_SIZES[value & 0x03] ?? 0) + content);
  }

  #onBlock(value: number): void {
    const isLast = (value & 1) !== 0;
    const type = (value >>> 1) & 0x03;
    const size = type === RLE ? 1 : value >>> 3;
    const checksum = isLast && this.#hasChecksum ? CHECKSUM_SIZE : 0;
    this.#next(isLast ? "magic" : "block", size + checksum);
  }

  #next(part: Part, skip: number): void {
    this.#part = part;
    this.#skip = skip;
    this.#value = 0;
    this.#gathered = 0;
    this.#wanted = part === "descriptor" ? 1 : part === "block" ? BLOCK_HEADER_SIZE : MAGIC_SIZE;
    if (part === "magic") this.#isWhole = true;
  }
}
