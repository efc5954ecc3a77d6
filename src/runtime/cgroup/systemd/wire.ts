/**
 * Values of D-Bus as bytes and back, little-endian: dbus.freedesktop.org/doc/dbus-specification.html, Marshaling. Pure. A
 * type is written as in a signature; values are numbers, bigints for 64 bits, booleans, strings, arrays for arrays and
 * structs, Uint8Array for `ay`, and {@link Variant}.
 */

/** A value that carries its type. */
export interface Variant {
  readonly type: string;
  readonly value: Value;
}

/** A value of any type. */
export type Value = number | bigint | boolean | string | Uint8Array | Variant | readonly Value[];

/** Longest array and message by the specification, bytes. */
const ARRAY_SIZE_MAX = 64 << 20;
/** Deepest nesting that is read: 32 arrays and 32 structs. */
const DEPTH_MAX = 64;

/** Length of the complete type at the start of a signature. @throws {SyntaxError} when there is none */
function typeLength(signature: string): number {
  const [first = ""] = signature;
  if (first === "a") return 1 + typeLength(signature.slice(1));
  const close = ({ "(": ")", "{": "}" } as Readonly<Record<string, string>>)[first];
  if (close === undefined) {
    if (!"ybnqiuxtdsogvh".includes(first) || first === "")
      throw new SyntaxError(`Cannot read type "${signature}"`);
    return 1;
  }
  let length = 1;
  while (signature[length] !== close) length += typeLength(signature.slice(length));
  return length + 1;
}

/** The complete types of a signature: `sa(sv)` → `s` `a(sv)` */
export function splitTypes(signature: string): string[] {
  const types: string[] = [];
  for (let rest = signature; rest !== ""; rest = rest.slice(types.at(-1)?.length)) {
    types.push(rest.slice(0, typeLength(rest)));
  }
  return types;
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, h: 4 },
  ...{ x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

const alignmentOf = (type: string): number => ALIGNMENT[type[0] as string] ?? 1;
const encoder = new TextEncoder();

/** Writes values one after the other. */
export class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  /** What was written. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Fills up with zeros to a multiple of `alignment`. */
  align(alignment: number): void {
    this.#grow((alignment - (this.#length % alignment)) % alignment);
  }

  /** Writes one value of one complete type. @throws {TypeError} when they do not fit */
  write(type: string, value: Value): void {
    this.align(alignmentOf(type));
    const scalar = SCALARS[type];
    if (scalar !== undefined) scalar(this.#view(scalarSize(type)), value);
    else if (type === "s" || type === "o") this.#writeText(String(value), 4);
    else if (type === "g") this.#writeText(String(value), 1);
    else if (type === "v") this.#writeVariant(value as Variant);
    else if (type.startsWith("a")) this.#writeArray(type.slice(1), value);
    else this.#writeStruct(splitTypes(type.slice(1, -1)), value as readonly Value[]);
  }

  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    return start;
  }

  #view(size: number): DataView {
    const start = this.#grow(size);
    return new DataView(this.#bytes.buffer, start, size);
  }

  #writeText(text: string, lengthSize: 1 | 4): void {
    const bytes = encoder.encode(text);
    if (bytes.includes(0)) throw new TypeError("Cannot send a text with a NUL over D-Bus");
    if (lengthSize === 1) this.#view(1).setUint8(0, bytes.length);
    else this.#view(4).setUint32(0, bytes.length, true);
    this.#bytes.set(bytes, this.#grow(bytes.length + 1));
  }

  #writeVariant({ type, value }: Variant): void {
    this.#writeText(type, 1);
    this.write(type, value);
  }

  #writeArray(type: string, value: Value): void {
    const lengthAt = this.#grow(4);
    this.align(alignmentOf(type));
    const start = this.#length;
    if (value instanceof Uint8Array) {
      const at = this.#grow(value.length);
      this.#bytes.set(value, at);
    } else for (const item of value as readonly Value[]) this.write(type, item);
    new DataView(this.#bytes.buffer).setUint32(lengthAt, this.#length - start, true);
  }

  #writeStruct(types: readonly string[], values: readonly Value[]): void {
    if (types.length !== values.length)
      throw new TypeError(`Cannot write ${values.length} members as "${types}"`);
    for (const [index, type] of types.entries()) this.write(type, values[index] as Value);
  }
}

const scalarSize = (type: string): number => alignmentOf(type);

const SCALARS: Readonly<Record<string, (view: DataView, value: Value) => void>> = {
  y: (view, value) => view.setUint8(0, Number(value)),
  b: (view, value) => view.setUint32(0, value === true ? 1 : 0, true),
  n: (view, value) => view.setInt16(0, Number(value), true),
  q: (view, value) => view.setUint16(0, Number(value), true),
  i: (view, value) => view.setInt32(0, Number(value), true),
  u: (view, value) => view.setUint32(0, Number(value), true),
  h: (view, value) => view.setUint32(0, Number(value), true),
  x: (view, value) => view.setBigInt64(0, BigInt(value as bigint), true),
  t: (view, value) => view.setBigUint64(0, BigInt(value as bigint), true),
  d: (view, value) => view.setFloat64(0, Number(value), true),
};

const READERS: Readonly<Record<string, (view: DataView, at: number) => Value>> = {
  y: (view, at) => view.getUint8(at),
  b: (view, at) => view.getUint32(at, true) !== 0,
  n: (view, at) => view.getInt16(at, true),
  q: (view, at) => view.getUint16(at, true),
  i: (view, at) => view.getInt32(at, true),
  u: (view, at) => view.getUint32(at, true),
  h: (view, at) => view.getUint32(at, true),
  x: (view, at) => view.getBigInt64(at, true),
  t: (view, at) => view.getBigUint64(at, true),
  d: (view, at) => view.getFloat64(at, true),
};

const decoder = new TextDecoder();

/** Reads values one after the other. @throws {RangeError} at the end of the bytes */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Skips to a multiple of `alignment`. */
  align(alignment: number): void {
    this.#at += (alignment - (this.#at % alignment)) % alignment;
  }

  /** Reads one value of one complete type. */
  read(type: string, depth = 0): Value {
    if (depth > DEPTH_MAX) throw new RangeError("Cannot read a message of D-Bus: it is nested too deeply");
    this.align(alignmentOf(type));
    const reader = READERS[type];
    if (reader !== undefined) return reader(this.#view, this.#skip(scalarSize(type)));
    if (type === "s" || type === "o") return this.#readText(this.#view.getUint32(this.#skip(4), true));
    if (type === "g") return this.#readText(this.#view.getUint8(this.#skip(1)));
    if (type === "v") {
      const inner = this.read("g") as string;
      return { type: inner, value: this.read(inner, depth + 1) };
    }
    if (type.startsWith("a")) return this.#readArray(type.slice(1), depth);
    return splitTypes(type.slice(1, -1)).map((member) => this.read(member, depth + 1));
  }

  #skip(size: number): number {
    const start = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length)
      throw new RangeError("Cannot read a message of D-Bus: it is cut short");
    return start;
  }

  #readText(length: number): string {
    const start = this.#skip(length + 1);
    return decoder.decode(this.#bytes.subarray(start, start + length));
  }

  #readArray(type: string, depth: number): Value {
    const size = this.#view.getUint32(this.#skip(4), true);
    if (size > ARRAY_SIZE_MAX) throw new RangeError("Cannot read a message of D-Bus: an array is too long");
    this.align(alignmentOf(type));
    const end = this.#at + size;
    if (type === "y") return this.#bytes.slice(this.#skip(size), end);
    const items: Value[] = [];
    while (this.#at < end) items.push(this.read(type, depth + 1));
    return items;
  }
}
