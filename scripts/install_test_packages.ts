/**
 * Installs from Debian what the tests need and this machine lacks. As another user than root it only says what is missing;
 * the tests that need it are then skipped, with the reason.
 *
 *     Usage: bun run scripts/install_test_packages.ts
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { missingPackages } from "../tests/helpers/packages.ts";

/** How long the download and the installation may take, in milliseconds. */
const APT_MS_MAX = 8 * 60_000;

/** How long to wait for another apt on the machine, in seconds. */
const LOCK_SECONDS_MAX = 120;

/** Asked by the packages' own scripts before they start a service; 101 is "forbidden by policy". */
const POLICY = "/usr/sbin/policy-rc.d";

/** Installs what is missing. @returns what is missing still. */
export function installTestPackages(): readonly string[] {
  const missing = missingPackages();
  if (missing.length === 0) return [];
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) return missing;
  console.log(`installing from Debian: ${missing.join(" ")}`);
  const policy = forbidServices();
  try {
    if (!installAvailable(missing)) {
      runApt(["update", "-qq"]);
      installAvailable(missing);
    }
  } finally {
    policy?.[Symbol.dispose]();
  }
  return missingPackages();
}

/** Docker and docker-registry come with services: tests start their own, and nothing else is to change here. */
function forbidServices(): Disposable | undefined {
  if (existsSync(POLICY)) return undefined;
  writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  return { [Symbol.dispose]: () => rmSync(POLICY, { force: true }) };
}

/** One that this release does not have must not keep the others away. @returns whether all are installed */
function installAvailable(names: readonly string[]): boolean {
  const { stdout } = Bun.spawnSync(["apt-cache", "show", "--no-all-versions", ...names], {
    stdin: "ignore",
    stderr: "ignore",
  });
  const known = new Set([...stdout.toString().matchAll(/^Package: (.+)$/gm)].map(([, name]) => name));
  const available = names.filter((name) => known.has(name));
  if (available.length > 0) runApt(["install", "-y", "-qq", "--no-install-recommends", ...available]);
  return missingPackages().length === 0;
}

function runApt(words: readonly string[]): boolean {
  const options = ["-o", `DPkg::Lock::Timeout=${LOCK_SECONDS_MAX}`, "-o", "Dpkg::Use-Pty=0"];
  const { exitCode } = Bun.spawnSync(["apt-get", ...options, ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    timeout: APT_MS_MAX,
  });
  return exitCode === 0;
}

if (import.meta.main) {
  const missing = installTestPackages();
  if (missing.length > 0) console.log(`not installed: ${missing.join(" ")}`);
  process.exit(missing.length === 0 ? 0 : 1);
}
