/** Constants of asm-generic/ioctls.h and termbits.h, the same on x86-64 and arm64: ioctl_tty(2), termios(3). */

export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TIOCSCTTY = 0x540e;
export const TIOCSPGRP = 0x5410;
export const TIOCGWINSZ = 0x5413;
export const TIOCSWINSZ = 0x5414;
export const TIOCSPTLCK = 0x40045431;
export const TIOCGPTPEER = 0x5441;

/** struct termios of the kernel: iflag, oflag, cflag, lflag (32 bits each), line, 19 control characters. */
export const TERMIOS_SIZE = 36;
