/** The eBPF program of device rules, run by an interpreter of its instructions, against the rules read by hand. */
import { describe, expect, test } from "bun:test";
import { accessBits, deviceProgram } from "../../../../src/runtime/cgroup/device_program.ts";
import { deviceRules, type FullDeviceRule } from "../../../../src/runtime/cgroup/device_rules.ts";

interface Attempt {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/** Interprets the program as the kernel would. @throws {Error} for what its verifier would refuse */
function run(program: Uint8Array, { type, major, minor, access }: Attempt): number {
  const view = new DataView(program.buffer);
  const context = [(accessBits(access) << 16) | (type === "b" ? 1 : 2), major, minor];
  const registers: (number | undefined)[] = [undefined, 0];
  const read = (index: number): number => {
    const value = registers[index];
    if (value === undefined) throw new Error(`Register ${index} is read before it is set`);
    return value;
  };
  for (let at = 0; ; at++) {
    if (at * 8 >= program.length) throw new Error("The program runs over its end");
    const [code, byte] = [program[at * 8], program[at * 8 + 1] as number];
    const [dst, src] = [byte & 15, byte >> 4];
    const [offset, value] = [view.getInt16(at * 8 + 2, true), view.getInt32(at * 8 + 4, true)];
    if (code === 0x61) registers[dst] = context[offset / 4] as number;
    else if (code === 0xb4) registers[dst] = value >>> 0;
    else if (code === 0xbc) registers[dst] = read(src);
    else if (code === 0x54) registers[dst] = (read(dst) & value) >>> 0;
    else if (code === 0x74) registers[dst] = read(dst) >>> value;
    else if (code === 0x15) at += read(dst) === value ? offset : 0;
    else if (code === 0x55) at += read(dst) === value ? 0 : offset;
    else if (code === 0x95) return read(0);
    else throw new Error(`Unknown instruction ${code}`);
  }
}

/** The last rule that matches decides about each access; without one it is refused. */
function isAllowed(rules: readonly FullDeviceRule[], attempt: Attempt): boolean {
  const matches = (rule: FullDeviceRule, letter: string): boolean =>
    (rule.type === "a" || rule.type === attempt.type) &&
    (rule.major < 0 || rule.major === attempt.major) &&
    (rule.minor < 0 || rule.minor === attempt.minor) &&
    rule.access.includes(letter);
  return [...attempt.access].every(
    (letter) => rules.findLast((rule) => matches(rule, letter))?.allow ?? false,
  );
}

const ACCESSES = ["r", "w", "m", "rw", "rm", "wm", "rwm"];

/** A generator of the same numbers at each run (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function randomRule(random: (below: number) => number): FullDeviceRule {
  return {
    allow: random(2) === 1,
    type: (["a", "b", "c"] as const)[random(3)] as "a" | "b" | "c",
    major: random(4) - 1,
    minor: random(4) - 1,
    access: ACCESSES[random(ACCESSES.length)] as string,
  };
}

const ATTEMPTS: readonly Attempt[] = (["b", "c"] as const).flatMap((type) =>
  [0, 1, 2, 9].flatMap((major) =>
    [0, 1, 2, 9].flatMap((minor) => ACCESSES.map((access) => ({ type, major, minor, access }))),
  ),
);

describe("deviceProgram()", () => {
  test("decides as the rules do, for 500 random lists", () => {
    const random = generator(7);
    for (let round = 0; round < 500; round++) {
      const rules = Array.from({ length: random(8) }, () => randomRule(random));
      const program = deviceProgram(rules);
      const wrong = ATTEMPTS.filter((attempt) => (run(program, attempt) === 1) !== isAllowed(rules, attempt));

      expect({ rules, wrong }).toEqual({ rules, wrong: [] });
    }
  });

  test("allows the devices of every container and no others without a list", () => {
    const program = deviceProgram(deviceRules({}));
    const open = (type: "b" | "c", major: number, minor: number): number =>
      run(program, { type, major, minor, access: "rw" });

    expect([open("c", 1, 3), open("c", 5, 2), open("c", 136, 77)]).toEqual([1, 1, 1]);
    expect([open("c", 1, 1), open("b", 8, 0), open("c", 10, 200)]).toEqual([0, 0, 0]);
    expect(run(program, { type: "b", major: 8, minor: 0, access: "m" })).toBe(1);
  });

  test("allows everything after a rule that does", () => {
    const program = deviceProgram(deviceRules({ devices: [{ allow: true, access: "rwm" }] }));

    expect(run(program, { type: "b", major: 8, minor: 0, access: "rwm" })).toBe(1);
  });
});
