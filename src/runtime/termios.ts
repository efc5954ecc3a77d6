/** struct termios: raw mode as cfmakeraw(3) has it. The flags are those of asm-generic/termbits.h. */
const IFLAG = 0;
const OFLAG = 4;
const CFLAG = 8;
const LFLAG = 12;
/** Control characters follow the line discipline's byte. */
const CC = 17;
const VTIME = 5;
const VMIN = 6;

/** IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON */
const INPUT_PROCESSING = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000;
const OPOST = 0o1;
/** ECHO ECHONL ICANON ISIG IEXTEN */
const LOCAL_PROCESSING = 0o10 | 0o100 | 0o2 | 0o1 | 0o100000;
const CSIZE_PARENB = 0o60 | 0o400;
const CS8 = 0o60;

/** A copy of the settings in which every byte passes as it is. */
export function rawSettings(settings: Uint8Array): Uint8Array {
  const raw = new Uint8Array(new ArrayBuffer(settings.length));
  raw.set(settings);
  const view = new DataView(raw.buffer);
  const change = (offset: number, clear: number, set = 0) =>
    view.setUint32(offset, (view.getUint32(offset, true) & ~clear) | set, true);
  change(IFLAG, INPUT_PROCESSING);
  change(OFLAG, OPOST);
  change(LFLAG, LOCAL_PROCESSING);
  change(CFLAG, CSIZE_PARENB, CS8);
  raw[CC + VMIN] = 1;
  raw[CC + VTIME] = 0;
  return raw;
}
