/**
 * A static program for x86-64 that makes every system call once, with arguments that are all -1, each in a child of its
 * own, and writes what wait4(2) says of the child: 4 bytes a call. A child ends with the number of the error it got, so
 * that a filter's verdict can be told from the kernel's own.
 */

/** Numbers of calls that are made, from 0. */
export const CALLS = 470;

const ADDRESS = 0x400000;
const HEADERS_SIZE = 120;

/** Bytes of machine code from hexadecimal; white space and what follows ";" do not count. */
const code = (text: string): readonly number[] =>
  (text.replace(/;.*$/gm, "").match(/[0-9a-f]{2}/g) ?? []).map((byte) => Number.parseInt(byte, 16));

const little = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** What the child does: it makes the call of number r12 and exits with the error's number, or 0. */
const child = code(`
  bf 01 00 00 00  b8 25 00 00 00  0f 05   ; alarm(1), for calls that wait
  48 c7 c7 ff ff ff ff  48 c7 c6 ff ff ff ff  48 c7 c2 ff ff ff ff
  49 c7 c2 ff ff ff ff  49 c7 c0 ff ff ff ff  49 c7 c1 ff ff ff ff
  44 89 e0  0f 05                         ; the call
  f7 d8  89 c7  85 ff  79 02  31 ff       ; its error number, or 0
  b8 e7 00 00 00  0f 05                   ; exit_group
`);

/** What the parent does with the child's id in eax. */
const parent = code(`
  89 c7  48 89 e6  31 d2  45 31 d2  b8 3d 00 00 00  0f 05        ; wait4(pid, rsp, 0, 0)
  bf 01 00 00 00  48 89 e6  ba 04 00 00 00  b8 01 00 00 00  0f 05 ; write(1, rsp, 4)
  41 ff c4                                                       ; the next number
`);

/** The program's file. */
export function callProber(): Uint8Array {
  const start = code("48 83 ec 10  45 31 e4"); // room for a status; number 0
  const fork = code("b8 39 00 00 00  0f 05  85 c0"); // fork
  const end = code("31 ff  b8 e7 00 00 00  0f 05"); // exit_group(0)
  const compare = [...code("41 81 fc"), ...little(CALLS)];
  const loopSize = fork.length + 6 + parent.length + compare.length + 6;
  // je child: behind the parent's part, the comparison with its jump, and the end.
  const toChild = [...code("0f 84"), ...little(parent.length + compare.length + 6 + end.length)];
  const toLoop = [...code("0f 82"), ...little(2 ** 32 - loopSize)];
  const text = [...start, ...fork, ...toChild, ...parent, ...compare, ...toLoop, ...end, ...child];
  return Uint8Array.from([...headers(HEADERS_SIZE + text.length), ...text]);
}

/** Elf64_Ehdr and one Elf64_Phdr: all of the file, readable and executable. */
function headers(fileSize: number): Uint8Array {
  const bytes = new Uint8Array(HEADERS_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, ADDRESS + HEADERS_SIZE, true);
  view.setUint32(32, 64, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setUint32(80, ADDRESS, true);
  view.setUint32(88, ADDRESS, true);
  view.setUint32(96, fileSize, true);
  view.setUint32(104, fileSize, true);
  view.setUint32(112, 0x1000, true);
  return bytes;
}
