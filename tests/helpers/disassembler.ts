/** Machine code as binutils read it, and as the source that holds it says: both in the same form, to be compared. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

/** Instructions by their offset. */
export type Listing = ReadonlyMap<number, string>;

export interface AnnotatedCode {
  readonly instructions: Listing;
  /** Offsets of the lines `// name:`. */
  readonly labels: ReadonlyMap<string, number>;
  /** Bytes that have a comment. */
  readonly size: number;
}

export type CodeArchitecture = "x86_64" | "arm64";

const OBJDUMP = {
  x86_64: {
    program: process.arch === "x64" ? "objdump" : "x86_64-linux-gnu-objdump",
    options: ["-m", "i386:x86-64", "-M", "intel"],
  },
  arm64: {
    program: process.arch === "arm64" ? "objdump" : "aarch64-linux-gnu-objdump",
    options: ["-m", "aarch64"],
  },
} as const;

/** The program that {@link disassemble} calls. */
export const objdumpFor = (architecture: CodeArchitecture): string => OBJDUMP[architecture].program;

/** Disassembles with objdump(1). @throws {Error} when it does not understand the bytes. */
export function disassemble(bytes: Uint8Array, architecture: CodeArchitecture): Listing {
  const directory = mkdtempSync(`${tmpdir()}/bunker-code-`);
  try {
    writeFileSync(`${directory}/code`, bytes);
    const { program, options } = OBJDUMP[architecture];
    const command = [program, "-D", "-b", "binary", "--no-show-raw-insn", ...options, `${directory}/code`];
    const { stdout, exitCode } = Bun.spawnSync(command, { stdin: "ignore" });
    if (exitCode !== 0) throw new Error(`"${command.join(" ")}" failed`);
    const lines = stdout.toString().matchAll(/^ +([0-9a-f]+):\t(.*)$/gm);
    return new Map(
      [...lines].map(([, offset = "", text = ""]) => [Number.parseInt(offset, 16), plain(text)]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Reads `0x48, 0x89, 0xf8, // mov rax,rdi` and `// label:` lines; labels in operands become their offsets. */
export function readAnnotatedCode(path: string, known: Readonly<Record<string, number>> = {}): AnnotatedCode {
  const labels = new Map(Object.entries(known));
  const texts = new Map<number, string>();
  let offset = 0;
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const label = /^ {2}\/\/ (\w+):$/.exec(line)?.[1];
    if (label !== undefined) labels.set(label, offset);
    const [, bytes, text] = /^ {2}((?:0x[0-9a-f]{2}, )+)\/\/ (.+)$/.exec(line) ?? [];
    if (bytes === undefined || text === undefined) continue;
    texts.set(offset, text);
    offset += bytes.split(",").length - 1;
  }
  const instructions = new Map([...texts].map(([at, text]) => [at, plain(resolve(text, labels))]));
  return { instructions, labels, size: offset };
}

/** `je handler+0x25` becomes `je 0x51`. */
function resolve(text: string, labels: ReadonlyMap<string, number>): string {
  return text.replace(/([a-z_]\w*)(?:\+0x([0-9a-f]+))?$/, (whole, name: string, distance = "0") => {
    const label = labels.get(name);
    return label === undefined ? whole : `0x${(label + Number.parseInt(distance, 16)).toString(16)}`;
  });
}

/** Without what objdump adds for readers: sizes of operands, remarks, columns. */
function plain(text: string): string {
  return text
    .replace(/\s+(# |\/\/ ).*$/, "")
    .replace(/\b[A-Z]*WORD PTR /g, "")
    .replace(/, /g, ",")
    .replace(/\s+/g, " ")
    .trim();
}
