/** A value from JSON together with the path that leads to it, so that every complaint can name the place. */

/** A value that is not what it has to be. */
export class JsonValueError extends SyntaxError {
  /** `syscalls[3].args[0].op`; empty for the whole. */
  readonly path: string;
  /** `a string` */
  readonly expected: string;

  constructor(path: string, expected: string) {
    super(`Cannot parse seccomp profile: ${path === "" ? "its top level" : `"${path}"`} is not ${expected}`);
    this.name = "SyntaxError";
    this.path = path;
    this.expected = expected;
  }
}

/** One value; a missing one is `undefined`, and `null` counts as missing, as in Go's decoder. */
export class JsonValue {
  readonly value: unknown;
  /** `syscalls[3].args[0].op`; empty for the whole. */
  readonly path: string;

  constructor(value: unknown, path = "") {
    this.value = value ?? undefined;
    this.path = path;
  }

  get isMissing(): boolean {
    return this.value === undefined;
  }

  /** @throws {SyntaxError} unless this is an object. */
  member(name: string): JsonValue {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.error("an object");
    const child = Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
    return new JsonValue(child, this.path === "" ? name : `${this.path}.${name}`);
  }

  /** The elements; none when missing. @throws {SyntaxError} unless this is an array of at most `limit`. */
  elements(limit: number): JsonValue[] {
    if (this.isMissing) return [];
    if (!Array.isArray(this.value)) throw this.error("an array");
    if (this.value.length > limit) throw this.error(`at most ${limit} elements`);
    return this.value.map((element, index) => new JsonValue(element, `${this.path}[${index}]`));
  }

  /** @throws {SyntaxError} unless this is a string. */
  text(): string {
    if (typeof this.value !== "string") throw this.error("a string");
    return this.value;
  }

  /** @throws {SyntaxError} unless this is one of `choices`. */
  oneOf<Choice extends string>(choices: readonly Choice[]): Choice {
    const choice = choices.find((candidate) => candidate === this.value);
    if (choice === undefined) throw this.error(`one of ${choices.join(", ")}`);
    return choice;
  }

  /**
   * A whole number from 0 to `max`.
   * @throws {SyntaxError} for anything else, and for a number that JSON.parse() has rounded.
   */
  whole(max: bigint): bigint {
    const { value } = this;
    const isExact = typeof value === "bigint" || Number.isSafeInteger(value);
    const number = isExact ? BigInt(value as number | bigint) : -1n;
    if (number < 0n || number > max) throw this.error(`a whole number from 0 to ${max}`);
    return number;
  }

  /** An error that says what was expected here. */
  error(expected: string): JsonValueError {
    return new JsonValueError(this.path, expected);
  }
}
