/** The machine code is what the comments beside its bytes say, for both processors, whichever this is. */
import { describe, expect, test } from "bun:test";
import * as arm64 from "../../../src/linux/machine_arm64.ts";
import * as x86_64 from "../../../src/linux/machine_x86_64.ts";
import { disassemble, objdumpFor, readAnnotatedCode } from "../../helpers/disassembler.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";

/** Distance of the data page from the code, and of the table of handlers in it: machine.ts. */
const PLACES = { cell: 0x1000, table: 0x1040 };

const codes = { x86_64, arm64 };

describe.each(["x86_64", "arm64"] as const)("machine code for %s", (architecture) => {
  const path = new URL(`../../../src/linux/machine_${architecture}.ts`, import.meta.url).pathname;
  const { bytes, entry } = codes[architecture];
  const annotated = readAnnotatedCode(path, PLACES);
  const reason = whyMissing([`program ${objdumpFor(architecture)}`]);

  test("has a comment for every byte", () => {
    expect(annotated.size).toBe(bytes.length);
  });

  test.skipIf(reason !== undefined)(titleOf("is what its comments say, as binutils read it", reason), () => {
    const listing = disassemble(bytes, architecture);

    expect(Object.fromEntries(annotated.instructions)).toEqual(Object.fromEntries(listing));
  });

  test("is entered at its labels", () => {
    const entries = Object.entries(entry).filter(
      ([name]) => architecture === "x86_64" || name !== "restorer",
    );

    expect(entries.map(([name]) => [name, annotated.labels.get(name)])).toEqual(entries);
  });

  test.skipIf(reason !== undefined)(titleOf("loads the two addresses that it is given", reason), () => {
    const code = bytes.slice();
    codes[architecture].patchStart(code, 0x411000, 0x600000);

    const changed = [...disassemble(code, architecture)].filter(
      ([offset, text]) => annotated.instructions.get(offset) !== text,
    );

    expect(changed.map(([, text]) => text)).toEqual(LOADS[architecture]);
  });
});

const LOADS = {
  x86_64: ["mov ebx,0x411000", "mov r12d,0x600000"],
  arm64: ["mov w19,#0x1000", "movk w19,#0x41,lsl #16", "mov w20,#0x0", "movk w20,#0x60,lsl #16"],
};
