/** Debian itself, as debootstrap makes it from the mirror of this machine, and a package to install on top. */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { cachedDirectory } from "../helpers/test_cache.ts";
import { runTool } from "../vm/tool.ts";

/** What is made once and kept. */
export interface DebianFiles {
  /** The root, as an archive. */
  readonly root: string;
  /** A package that needs nothing but that root. */
  readonly package: string;
}

/** Small, and with a program that says that it is there. */
export const PACKAGE = "hello";
export const GREETING = "Hello, world!\n";

const BOOTSTRAP_MS_MAX = 5 * 60_000;
const DOWNLOAD_MS_MAX = 60_000;
/** What apt has downloaded is no part of a system, and a third of the root. */
const LEFT_OUT = ["./var/cache/apt/*", "./var/lib/apt/lists/*"].map((path) => `--exclude=${path}`);

/** The files, from the cache or made. @throws {Error} when the mirror cannot be reached */
export function prepareDebian(): DebianFiles {
  const { site, release } = mirrorOfThisMachine();
  const directory = cachedDirectory(`debian-${release}-1`, (building) => {
    const options = { cwd: building, timeoutMs: BOOTSTRAP_MS_MAX };
    // What it mounts goes with it, also when it is killed.
    const isolated = ["unshare", "--mount", "--propagation=private"];
    runTool([...isolated, "debootstrap", "--variant=minbase", release, `${building}/root`, site], options);
    const kept = ["--numeric-owner", "--xattrs", "--xattrs-include=*", ...LEFT_OUT];
    runTool(["tar", "-C", `${building}/root`, ...kept, "-cf", `${building}/root.tar`, "."], options);
    runTool(["rm", "-rf", `${building}/root`], options);
    runTool(["apt-get", "download", "-qq", PACKAGE], { cwd: building, timeoutMs: DOWNLOAD_MS_MAX });
    const file = readdirSync(building).find((name) => name.startsWith(`${PACKAGE}_`)) ?? "";
    renameSync(`${building}/${file}`, `${building}/${PACKAGE}.deb`);
  });
  return { root: `${directory}/root.tar`, package: `${directory}/${PACKAGE}.deb` };
}

/** Where apt gets this machine's own release from. */
function mirrorOfThisMachine(): { readonly site: string; readonly release: string } {
  const format = ["--format", "$(SITE) $(RELEASE)"];
  const lines = runTool(["apt-get", "indextargets", ...format], { timeoutMs: DOWNLOAD_MS_MAX }).split("\n");
  const scripts = "/usr/share/debootstrap/scripts";
  for (const line of lines) {
    const [site = "", release = ""] = line.split(" ");
    if (release !== "" && existsSync(`${scripts}/${release}`)) return { site, release };
  }
  throw new Error("apt knows no release that debootstrap can make");
}
