/** Constants of linux/socket.h and asm-generic/socket.h: socket(2), send(2), unix(7). */

export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;

/** EPIPE instead of a signal when nobody listens any more. */
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x40000000;

/** A descriptor that comes along. */
export const SCM_RIGHTS = 1;
/** struct cmsghdr with one descriptor, cmsg(3): length, level and type, then the descriptor; with padding, without. */
export const CMSG_SPACE = 24;
export const CMSG_LENGTH = 20;
export const CMSG_DATA = 16;
