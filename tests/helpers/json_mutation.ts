/**
 * Random but repeatable changes of a JSON document: grammar fuzzing. What JSON.stringify() cannot write (numbers beyond
 * a double, equal keys, `__proto__`) is in the tree as a {@link Raw}, or as a list of members.
 */
import { pick, type Random } from "./random_policy.ts";

/** Text that stands in the document as it is. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Members = Array<[key: string, node: Node]>;
type Node = Raw | Node[] | { readonly members: Members };

const NUMBERS = [
  "-0",
  "-1",
  "0.5",
  "1e309",
  "-1e309",
  "1e3",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740993",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "18446744073709551615",
  "18446744073709551616",
  "9".repeat(400),
];

const TEXTS = [
  "",
  ".",
  "..",
  "/",
  "/..",
  "../../etc/passwd",
  "a\0b",
  "\0",
  "\n",
  "/dev/null\n",
  "=",
  "A=b",
  "0-3,7",
  "user",
  "bind",
  "MB:",
  "x".repeat(4096),
  `/${"y/".repeat(2048)}`,
  "é".repeat(200),
  "\ud800",
  "\u2028",
  "%n%s",
  "__proto__",
  "constructor",
  "toString",
];

const OTHERS = [
  "null",
  "true",
  "false",
  "[]",
  "{}",
  "[null]",
  "[[[[]]]]",
  '{"__proto__":null}',
  '{"length":-1}',
];

const KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "length",
  "",
  "0",
  "\0",
  "path",
  "type",
];

/** The document of `config` with 1 to `changesMax` changes. */
export function mutatedJson(config: unknown, changesMax: number, random: Random): string {
  const root = treeOf(config);
  for (let left = 1 + random(changesMax); left > 0; left--) change(root, random);
  return write(root);
}

/** `bytes` cut short, or with some bits and bytes changed. */
export function damagedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (random(3) === 0) return bytes.slice(0, random(bytes.length));
  const damaged = bytes.slice();
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(damaged.length);
    const byte = damaged[at] ?? 0;
    damaged[at] = random(2) === 0 ? byte ^ (1 << random(8)) : random(256);
  }
  return damaged;
}

function treeOf(value: unknown): Node {
  if (Array.isArray(value)) return value.map(treeOf);
  if (typeof value !== "object" || value === null) return new Raw(JSON.stringify(value));
  return { members: Object.entries(value).map(([key, child]) => [key, treeOf(child)]) };
}

/** Goes down from the root at random, so that high places are changed as often as deep ones. */
function change(root: Node, random: Random): void {
  const slots = slotsOf(root);
  if (slots.length === 0) {
    grow(root, random);
    return;
  }
  const slot = pick(random, slots);
  if (slotsOf(slot.get()).length === 0 || random(4) === 0) changeSlot(root, slot, random);
  else change(slot.get(), random);
}

interface Slot {
  readonly index: number;
  get(): Node;
  set(node: Node): void;
}

function slotsOf(node: Node): Slot[] {
  if (node instanceof Raw) return [];
  if (Array.isArray(node)) {
    return node.map((_, index) => ({
      index,
      get: () => node[index] as Node,
      set: (child) => {
        node[index] = child;
      },
    }));
  }
  return node.members.map((member, index) => ({
    index,
    get: () => member[1],
    set: (child) => {
      member[1] = child;
    },
  }));
}

function changeSlot(parent: Node, slot: Slot, random: Random): void {
  const list = Array.isArray(parent) ? parent : (parent as { members: Members }).members;
  switch (random(7)) {
    case 0:
      list.splice(slot.index, 1);
      return;
    case 1:
      // Twice in a list, or an equal key.
      list.splice(slot.index, 0, structuredCopy(list[slot.index]) as never);
      return;
    case 2:
      if (!Array.isArray(parent)) (list[slot.index] as Members[number])[0] = pick(random, KEYS);
      return;
    case 3:
      slot.set([slot.get()]);
      return;
    case 4:
      slot.set({ members: [[pick(random, KEYS), slot.get()]] });
      return;
    default:
      slot.set(anything(random));
  }
}

function grow(node: Node, random: Random): void {
  if (node instanceof Raw) return;
  if (Array.isArray(node)) node.push(anything(random));
  else node.members.push([pick(random, KEYS), anything(random)]);
}

function anything(random: Random): Raw {
  const kind = random(3);
  if (kind === 0) return new Raw(pick(random, NUMBERS));
  return new Raw(kind === 1 ? JSON.stringify(pick(random, TEXTS)) : pick(random, OTHERS));
}

function structuredCopy(node: Node | Members[number] | undefined): unknown {
  if (node === undefined || node instanceof Raw || typeof node === "string") return node;
  if (Array.isArray(node)) return node.map((child) => structuredCopy(child as Node));
  return { members: node.members.map(([key, child]) => [key, structuredCopy(child)]) };
}

function write(node: Node): string {
  if (node instanceof Raw) return node.text;
  if (Array.isArray(node)) return `[${node.map(write).join(",")}]`;
  return `{${node.members.map(([key, child]) => `${JSON.stringify(key)}:${write(child)}`).join(",")}}`;
}
