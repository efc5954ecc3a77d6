/**
 * Who a container is: CVE-2022-24769 (inheritable capabilities), CVE-2022-36109 and CVE-2023-25173 (the primary group was
 * missing among the groups), CVE-2024-40635 and CVE-2026-46680 (a large number became root).
 */
import { describe, expect } from "bun:test";
import { kernelTest } from "../helpers/sandbox.ts";
import { App, PASSWD, RUN_NEEDS } from "../kernel/run/app.ts";

describe("a container", () => {
  kernelTest(
    "has no inheritable and no ambient capabilities, whatever is added",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);

      for (const flags of [
        [],
        ["--cap-add", "NET_ADMIN"],
        ["--privileged"],
        ["-u", "1000", "--cap-add", "ALL"],
      ]) {
        const sets = await app.sh("grep -E 'Cap(Inh|Amb)' /proc/self/status | cut -f2 | sort -u", flags);

        expect({ flags, sets }).toEqual({ flags, sets: "0000000000000000\n" });
      }
    },
  );

  kernelTest("has its primary group among its groups", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    for (const user of ["root", "user", "other", "1000:50", "4711", "4711:4712"]) {
      const groups = await app.sh("id -G | tr ' ' '\\n' | grep -cx $(id -g)", ["-u", user]);

      expect({ user, groups }).toEqual({ user, groups: "1\n" });
    }
  });

  kernelTest("never runs as root because a number is too large", RUN_NEEDS, async (sandbox) => {
    const numbers = ["4294967295", "4294967296", "2147483648000", "18446744073709551616"];
    const data = `${PASSWD}\n${numbers.map((name) => `${name}:x:0:0::/:/bin/sh`).join("\n")}\n`;
    const entries = [{ name: "etc/passwd", data }];

    for (const number of numbers) {
      const app = await App.install(sandbox, { entries, config: { User: number } });
      const byImage = await app.run([], ["/bin/id"]);
      const byFlag = await app.run(["-u", number], ["/bin/id"]);

      expect({ number, byImage }).toMatchObject({ byImage: { exitCode: 125, stdout: "" } });
      expect({ number, byFlag }).toMatchObject({ byFlag: { exitCode: 125, stdout: "" } });
    }
  });
});
