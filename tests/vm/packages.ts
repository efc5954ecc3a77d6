/** What the guest is made of. All of it is Debian's, fetched by the host's apt and unpacked; nothing of it is installed. */

/** Names the kernel's package of the day by its dependency. Made for virtual machines: disk and serial line are built in. */
export const KERNEL_PACKAGE = "linux-image-cloud-amd64";

/** The same of a later kernel, which mounts EROFS from files; where there is none, the usual one may be as late. */
export const LATER_KERNEL_PACKAGE = "linux-image-6.12-cloud-amd64";
/** Linux that mounts EROFS from files. */
export const LATER_KERNEL_VERSION = [6, 12] as const;

/** Packages of the guest's root; what they depend on comes with them. */
export const guestPackages = [
  // A shell and its tools.
  "base-files",
  "dash",
  "bash",
  "coreutils",
  "findutils",
  "grep",
  "sed",
  "mawk",
  "procps",
  "util-linux",
  "mount",
  "e2fsprogs",
  "kmod",
  "iproute2",
  "hostname",
  "tar",
  "gzip",
  // What is looked for on such a kernel.
  "systemd",
  "dbus",
  "dbus-user-session",
  "apparmor",
  // What the tests use.
  "busybox-static",
  "uidmap",
  "libcap2-bin",
  "attr",
  "python3",
  "strace",
  "libseccomp2",
  // Runtimes that the tests are tested with.
  "crun",
  "runc",
  "criu",
] as const;
