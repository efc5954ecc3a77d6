/**
 * A real distribution: debootstrap's root as one layer, and a package that buildah installs as another. What bunker shows of
 * them is what umoci unpacks and podman mounts, file by file, and it runs.
 */
import { describe, expect, test } from "bun:test";
import { titleOf, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { type DebianFiles, GREETING, PACKAGE, prepareDebian } from "./debian.ts";
import { ImageTrees, isRefused, TREE_NEEDS, type Tree } from "./image_trees.ts";
import { PEER_NEEDS, Peers } from "./peers.ts";
import { comparableWith, differencesOf, type Peer } from "./tree_comparison.ts";

const NEEDS = [
  ...TREE_NEEDS,
  ...PEER_NEEDS,
  "program buildah",
  "program debootstrap",
  "program apt-get",
] as const;
const TEST_MS_MAX = 5 * 60_000;
/** Files of the smallest Debian. */
const FILES_MIN = 3000;

describe("debootstrap's root, and a package on top of it", () => {
  const title = "are shown by bunker as umoci unpacks them and podman mounts them, and run";
  const files = prepare();
  if ("missing" in files) test.skip(titleOf(title, files.missing), () => undefined);
  else kernelTest(title, NEEDS, (sandbox) => compare(sandbox, files), TEST_MS_MAX);
});

async function compare(sandbox: Sandbox, files: DebianFiles): Promise<void> {
  await using peers = await Peers.start();
  const name = `${peers.registry.host}/debian:1`;
  await build(peers, files, name);
  const layout = peers.path("layout");
  await peers.copy(`docker://${name}`, `oci:${layout}:latest`);
  await using trees = new ImageTrees(`${sandbox.directory}/trees`);

  const own = await trees.bunkerFrom(name);
  const others: ReadonlyArray<readonly [Peer, Tree]> = [
    ["umoci", await trees.umociFrom(layout)],
    ["podman", await trees.podmanFrom(layout)],
  ];

  if (isRefused(own)) throw new Error(own.refused);
  expect(Object.keys(own).length).toBeGreaterThan(FILES_MIN);
  for (const [peer, other] of others) {
    if (isRefused(other)) throw new Error(`${peer}: ${other.refused}`);
    expect([peer, differencesOf(comparableWith(peer, own), comparableWith(peer, other))]).toEqual([peer, []]);
  }
  const run = await sandbox.bunker(["run", "-q", name, PACKAGE], { timeoutMs: TEST_MS_MAX });
  expect(run).toMatchObject({ exitCode: 0, stdout: GREETING, stderr: "" });
}

/** Two layers, each a commit of buildah, pushed to `name`. */
async function build(peers: Peers, files: DebianFiles, name: string): Promise<void> {
  const policy = ["--signature-policy", `${peers.directory}/policy.json`];
  const base = (await peers.buildah("from", "scratch")).trim();
  const root = (await peers.buildah("mount", base)).trim();
  await peers.shell(`tar -C ${root} --numeric-owner --xattrs --xattrs-include='*' -xpf ${files.root}`);
  await peers.buildah("config", "--env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "--cmd", "/bin/sh", base);
  const debian = (await peers.buildah("commit", "-q", ...policy, base)).trim();
  const upper = (await peers.buildah("from", ...policy, "--pull-never", debian)).trim();
  await peers.buildah("copy", upper, files.package, "/tmp/package.deb");
  const install = "dpkg -i /tmp/package.deb && rm /tmp/package.deb";
  await peers.buildah("run", "--isolation=chroot", upper, "--", "sh", "-ec", install);
  const installed = (await peers.buildah("commit", "-q", ...policy, upper)).trim();
  await peers.buildah("push", "-q", ...policy, "--tls-verify=false", installed, `docker://${name}`);
}

/** Debian's files, or why there cannot be any here. */
function prepare(): DebianFiles | { readonly missing: string } {
  const missing = whyMissing(NEEDS);
  if (missing !== undefined) return { missing };
  try {
    return prepareDebian();
  } catch (error) {
    return {
      missing: `needs a mirror of Debian: ${(error as Error).message.replaceAll(/\s+/g, " ").slice(0, 200)}`,
    };
  }
}
