/**
 * CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /proc or /sys of the root is a link or
 * covered by a volume, so that labels and masks land elsewhere.
 */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { attackTest, bind, plantLink } from "../../helpers/attack.ts";
import { MOUNTS } from "../../helpers/runtime_bundle.ts";

const SYSFS = {
  destination: "/sys",
  type: "sysfs",
  source: "sysfs",
  options: ["nosuid", "noexec", "nodev", "ro"],
};

describe("a root", () => {
  for (const name of ["proc", "sys"]) {
    for (const target of ["tmp", "/tmp", "outside"]) {
      attackTest(`whose /${name} is a link to ${target} is refused`, async ({ runtime, outside, linkTo }) => {
        const bundle = await runtime.bundle({ sh: "true", mounts: [...MOUNTS, SYSFS] });
        plantLink(bundle, name, target === "outside" ? linkTo(outside) : target);

        expect(await runtime.refusal(bundle)).toMatch(
          new RegExp(`"/${name}.*: (too many levels of symbolic links|ELOOP)`),
        );
      });
    }
  }

  attackTest(
    "whose /proc is a link to another procfs place hides no masked path there",
    async ({ runtime }) => {
      const bundle = await runtime.bundle({ sh: "true", linux: { maskedPaths: ["/proc/kcore"] } });
      mkdirSync(`${bundle.root}/other/self`, { recursive: true });
      plantLink(bundle, "proc", "other");

      expect(await runtime.refusal(bundle)).toContain("proc");
    },
  );

  attackTest(
    "that masks a path through a link of its own masks what the process sees",
    async ({ runtime }) => {
      const bundle = await runtime.bundle({
        sh: "cat /etc/secret /real/secret; ls /etc/dir /real/dir; true",
        linux: { maskedPaths: ["/etc/secret", "/etc/dir"] },
      });
      mkdirSync(`${bundle.root}/real/dir`, { recursive: true });
      writeFileSync(`${bundle.root}/real/secret`, "secret\n");
      writeFileSync(`${bundle.root}/real/dir/inner`, "secret\n");
      symlinkSync("../real/secret", `${bundle.root}/etc/secret`);
      symlinkSync("/real/dir", `${bundle.root}/etc/dir`);

      const { stdout } = await runtime.run(bundle);

      expect(stdout).not.toMatch(/^(secret|inner)$/m);
    },
  );
});

describe("a volume", () => {
  const places = [
    "/proc",
    "/proc/self",
    "/proc/self/attr",
    "/proc/sys",
    "/proc/sys/kernel/core_pattern",
    "/proc/../proc",
  ];
  for (const destination of places) {
    attackTest(`on ${destination} is refused`, async ({ runtime, outside }) => {
      const message = await runtime.refusal({ sh: "true", mounts: [...MOUNTS, bind(outside, destination)] });

      expect(message).toMatch(/(only a procfs may be there|it is inside \/proc)/);
    });
  }

  attackTest("on a link that leads to /proc is refused", async ({ runtime, outside }) => {
    for (const destination of ["/link", "/link/self/attr", "/dir/../link/sys"]) {
      const bundle = await runtime.bundle({ sh: "true", mounts: [...MOUNTS, bind(outside, destination)] });
      symlinkSync("/proc", `${bundle.root}/link`);
      mkdirSync(`${bundle.root}/dir`);

      expect({ destination, message: await runtime.refusal(bundle) }).toMatchObject({
        destination,
        message: expect.stringMatching(/link|it is inside|only a procfs/),
      });
    }
  });

  attackTest("on a file that programs such as lxcfs stand for is allowed", async ({ runtime, outside }) => {
    const mounts = [...MOUNTS, bind(`${outside}/marker`, "/proc/uptime", "ro")];

    expect(await runtime.output({ sh: "cat /proc/uptime", mounts })).toBe("marker\n");
  });
});
