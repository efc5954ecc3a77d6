/** CVE-2025-31133, CVE-2025-62161: /dev/null of the root is another file, which then stands on the masked paths. */
import { describe, expect } from "bun:test";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { MASKED_PATHS } from "../../../src/runtime/security/paths.ts";
import { attackTest, bind } from "../../helpers/attack.ts";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";

/** Every masked path is a null device, an empty directory, or not there. */
const KINDS = MASKED_PATHS.map(
  (path) =>
    `[ ! -e ${path} ] || { [ -d ${path} ] && ls -A ${path} | grep -c . ; } || stat -c '%n %t:%T' ${path}`,
).join("; ");

const hostile: Readonly<Record<string, (root: string) => void>> = {
  "a link to a file of procfs": (root) => symlinkSync("/proc/sys/kernel/core_pattern", `${root}/dev/null`),
  "a link to nowhere": (root) => symlinkSync("/nowhere", `${root}/dev/null`),
  "a regular file": (root) => writeFileSync(`${root}/dev/null`, "regular\n", { mode: 0o666 }),
  "another device": (root) => {
    const made = Bun.spawnSync(["mknod", "-m", "666", `${root}/dev/null`, "c", "1", "5"]);
    if (made.exitCode !== 0) throw new Error("mknod failed");
  },
  "a directory": (root) => mkdirSync(`${root}/dev/null`),
};

describe("masked paths of a root without a mount on /dev", () => {
  for (const [what, plant] of Object.entries(hostile)) {
    attackTest(`are hidden or refused where /dev/null is ${what}`, async ({ runtime }) => {
      const mounts = [MOUNTS[0], { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] }];
      const bundle = await runtime.bundle({ sh: KINDS, mounts, linux: { maskedPaths: MASKED_PATHS } });
      rmSync(`${bundle.root}/dev/null`, { force: true });
      plant(bundle.root);

      const { exitCode, stdout } = await runtime.run(bundle);

      if (exitCode !== 0) return expect(stdout).toBe("");
      const odd = stdout.split("\n").filter((line) => !/^(|0|\S+ 1:3)$/.test(line));
      expect(odd).toEqual([]);
      expect(stdout).toContain(" 1:3\n");
    });
  }
});

describe("masked paths", () => {
  attackTest("are hidden where a volume is mounted on /dev/null", async ({ runtime, outside }) => {
    const mounts = [...MOUNTS, bind(`${outside}/marker`, "/dev/null")];
    const bundle = await runtime.bundle({
      sh: "cat /proc/keys; true",
      mounts,
      linux: { maskedPaths: ["/proc/keys"] },
    });

    const { stdout } = await runtime.run(bundle);

    expect(stdout).toBe("");
  });
});
