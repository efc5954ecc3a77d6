/** Attributes of files as ls(1) writes them. */
import type { ImageFile } from "../engine/list_files.ts";

/** Bytes, one a character, of what was typed. */
export const bytesOfText = (text: string): string => Buffer.from(text).toString("latin1");

/** A name of bytes as text, and whether it says all of them. */
export function textOfBytes(bytes: string): { readonly text: string; readonly isExact: boolean } {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return { text, isExact: bytesOfText(text) === bytes };
}

const TYPE_LETTERS: Readonly<Record<ImageFile["type"], string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  character: "c",
  block: "b",
  fifo: "p",
  socket: "s",
  whiteout: "w",
};

/** `drwxr-xr-t`, as strmode(3) has it. */
export function describeMode({ type, mode }: Pick<ImageFile, "type" | "mode">): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift;
    const runs = (bits & 1) !== 0;
    const isSpecial = (mode & special) !== 0;
    const last = isSpecial ? (runs ? letter : letter.toUpperCase()) : runs ? "x" : "-";
    return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
  };
  return TYPE_LETTERS[type] + triple(6, 0o4000, "s") + triple(3, 0o2000, "s") + triple(0, 0o1000, "t");
}

/** Numbers: names are the business of the image's own /etc/passwd. */
export const describeOwner = ({ uid, gid }: Pick<ImageFile, "uid" | "gid">): [string, string] => [
  String(uid),
  String(gid),
];

/** `2026-01-02 03:04` in UTC; the seconds alone where no calendar reaches. */
export function describeTime({ seconds }: ImageFile["mtime"]): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 0) {
    return String(seconds);
  }
  return date.toISOString().slice(0, "2026-01-02T03:04".length).replace("T", " ");
}
