import { describe, expect, test } from "bun:test";
import { SYSCALLS_ARM } from "../../../../src/linux/abi/syscalls_arm.ts";
import { SYSCALLS_ARM64 } from "../../../../src/linux/abi/syscalls_arm64.ts";
import { SYSCALLS_I386 } from "../../../../src/linux/abi/syscalls_i386.ts";
import { SYSCALLS_X32 } from "../../../../src/linux/abi/syscalls_x32.ts";
import { SYSCALLS_X86_64 } from "../../../../src/linux/abi/syscalls_x86_64.ts";

const TABLES = [
  ["x86-64", SYSCALLS_X86_64],
  ["arm64", SYSCALLS_ARM64],
  ["i386", SYSCALLS_I386],
  ["x32", SYSCALLS_X32],
  ["arm", SYSCALLS_ARM],
] as const;

/** Headers with one `#define __NR_name number` a line; arm64's are macros of macros, see scripts/gen_syscalls.ts. */
const HEADERS = [
  ["unistd_64.h", SYSCALLS_X86_64],
  ["unistd_32.h", SYSCALLS_I386],
  ["unistd_x32.h", SYSCALLS_X32],
] as const;
const DIRECTORY = "/usr/include/x86_64-linux-gnu/asm";
const hasHeaders = await Bun.file(`${DIRECTORY}/unistd_64.h`).exists();
const title = (text: string): string => (hasHeaders ? text : `skipped: ${DIRECTORY} is missing: ${text}`);

describe("the tables of system calls", () => {
  test.each(TABLES)("have one name a number on %s", (_, table) => {
    const numbers = Object.values(table);

    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each(TABLES)("agree on every number from 424 on, for %s", (_, table) => {
    const shared = Object.entries(SYSCALLS_X86_64).filter(([name, number]) => number >= 424 && name in table);

    expect(shared.length).toBeGreaterThan(40);
    for (const [name, number] of shared) expect([name, table[name]]).toEqual([name, number]);
  });

  test.skipIf(!hasHeaders).each(HEADERS)(title("agree with the kernel's %s"), async (file, table) => {
    const header = await Bun.file(`${DIRECTORY}/${file}`).text();
    const defined = [...header.matchAll(/^#define __NR_(\w+) (?:\(__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm)];

    expect(defined.length).toBeGreaterThan(300);
    for (const [, name = "", number] of defined) expect([name, table[name]]).toEqual([name, Number(number)]);
  });
});
