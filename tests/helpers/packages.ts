/**
 * What the tests take from Debian: peers to compare with, sources of images, and tools that look at the result. All of
 * them are used as they come; none is part of the product.
 */

/** Packages by what they are for. */
export const testPackages = [
  // Registries and what fills and reads them.
  "docker-registry",
  "skopeo",
  "umoci",
  "buildah",
  "openssl",
  // Other engines.
  "podman",
  "golang-github-containers-common",
  "crun",
  "runc",
  "docker.io",
  "containernetworking-plugins",
  "containerd",
  "uidmap",
  // Content of images, and the compiler of the program that stands in for the challenge's.
  "busybox-static",
  "debootstrap",
  "gcc",
  "libc6-dev",
  // Looking at terminals, system calls, machine code and filters.
  "tmux",
  "strace",
  "binutils",
  process.arch === "arm64" ? "binutils-x86-64-linux-gnu" : "binutils-aarch64-linux-gnu",
  "qemu-user",
  "libseccomp2",
  "linux-libc-dev",
  "python3",
  "libcap2-bin",
  "attr",
  "iproute2",
  "procps",
  "util-linux",
  // Virtual machines, and their disks.
  ...(process.arch === "x64" ? (["qemu-system-x86"] as const) : []),
  "e2fsprogs",
  // Checks images of layers that tests write.
  "erofs-utils",
] as const;

/** Since Debian 13 the client is a package of its own; before, there is none of that name. */
const CLIENT = "docker-cli";

/** Those that are not installed; all of them where there is no dpkg. */
export function missingPackages(): readonly string[] {
  if (Bun.which("dpkg-query") === null) return testPackages;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are placeholders of dpkg-query.
  const format = "-f=${Package} ${db:Status-Status}\\n";
  const query = Bun.spawnSync(["dpkg-query", "-W", format, ...testPackages], {
    stdin: "ignore",
    stderr: "ignore",
  });
  const installed = new Set(
    query.stdout
      .toString()
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.slice(0, line.indexOf(" "))),
  );
  const missing: readonly string[] = testPackages.filter((name) => !installed.has(name));
  return Bun.which("docker") === null ? [...missing, CLIENT] : missing;
}
