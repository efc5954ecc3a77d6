/** The mounts that this process sees: proc_pid_mountinfo(5). */
import { readFileSync } from "node:fs";

/** One mount. */
export interface Mount {
  readonly target: string;
  readonly type: string;
  readonly source: string;
}

/** All mounts, in the order in which they were made. */
export function readMounts(): Mount[] {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** Parses the text of mountinfo; a line of another form is left out. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [front = "", back] = line.split(" - ");
    const target = front.split(" ")[4];
    const [type = "", source = ""] = back?.split(" ") ?? [];
    return target === undefined || type === ""
      ? []
      : [{ target: plain(target), type, source: plain(source) }];
  });
}

/** Blanks, tabs, line feeds and backslashes stand there in octal. */
const plain = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
