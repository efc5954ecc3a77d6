/** `-u` and the image's User: names, numbers, groups, and the hostile forms of them. */
import { describe, expect, test } from "bun:test";
import { titleOf, whyMissing } from "../../helpers/requires.ts";
import { kernelTest, Sandbox } from "../../helpers/sandbox.ts";
import { App, PASSWD, RUN_NEEDS } from "./app.ts";

const reason = whyMissing(RUN_NEEDS);
const script = ["/bin/sh", "-c", "id -u; id -g; id -G"];

/** uid, gid and all groups, or undefined for what is refused (CVE-2026-30892, CVE-2024-40635, CVE-2026-46680). */
const users: ReadonlyArray<readonly [user: string, ids: string | undefined]> = [
  ["", undefined],
  ["0", "0 0 0"],
  ["1", "1 0 0"],
  ["1:2", "1 2 2"],
  ["root", "0 0 0"],
  ["user", "1000 1000 26 50 1000"],
  ["1000", "1000 1000 26 50 1000"],
  ["user:staff", "1000 50 50"],
  ["user:7", "1000 7 7"],
  ["other", "1001 1002 50 1002"],
  ["4711", "4711 0 0"],
  ["2147483648", "2147483648 0 0"],
  ["4294967294", "4294967294 0 0"],
  ["4294967295", undefined],
  ["4294967296", undefined],
  ["99999999999999999999", undefined],
  ["-1", undefined],
  ["+1", undefined],
  [" 1", undefined],
  ["1:", undefined],
  [":1", undefined],
  ["nobody-here", undefined],
  ["user:no-such-group", undefined],
  ["user:staff:more", undefined],
  ["user\nroot", undefined],
];

describe("the user of a container", () => {
  test.skipIf(reason !== undefined)(
    titleOf("is who was asked for, in all of its groups, or nobody at all", reason),
    async () => {
      await using sandbox = new Sandbox();
      const app = await App.install(sandbox);

      const seen: (readonly [string, string | undefined])[] = [];
      for (const [user] of users) {
        const { exitCode, stdout, stderr } = await app.run(["-u", user], script);
        if (exitCode !== 0)
          expect({ user, exitCode, stdout, stderr }).toMatchObject({ exitCode: 125, stdout: "" });
        seen.push([user, exitCode === 0 ? normal(stdout) : undefined]);
      }

      expect(seen).toEqual([...users]);
    },
    60_000,
  );

  kernelTest("is the image's", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { User: "user:staff" } });

    const { stdout } = await app.run([], script);

    expect(normal(stdout)).toBe("1000 50 50");
  });

  kernelTest("is a number even when the image's passwd has it as a name", RUN_NEEDS, async (sandbox) => {
    const data = `${PASSWD}\n4294967296:x:0:0::/:/bin/sh\n4711:x:0:0::/:/bin/sh\n`;
    const app = await App.install(sandbox, { entries: [{ name: "etc/passwd", data }] });

    const number = await app.run(["-u", "4711"], script);
    const large = await app.run(["-u", "4294967296"], script);

    expect(normal(number.stdout)).toBe("4711 0 0");
    expect(large).toMatchObject({ exitCode: 125, stdout: "" });
  });

  kernelTest("is not looked up through a link to the host or a device", RUN_NEEDS, async (sandbox) => {
    for (const link of ["../../../../etc/passwd", "/proc/1/root/etc/passwd", "/dev/zero"]) {
      const entries = [{ name: "etc/passwd", type: "symlink" as const, link }];
      const app = await App.install(sandbox, { entries });

      const { exitCode, stdout } = await app.run(["-u", "daemon"], script);

      expect({ link, exitCode, stdout }).toEqual({ link, exitCode: 125, stdout: "" });
    }
  });

  kernelTest("is not looked for in a file of any length", RUN_NEEDS, async (sandbox) => {
    const data = `${"x".repeat(4 << 20)}\nlate:x:7:7::/:/bin/sh\n`;
    const app = await App.install(sandbox, { entries: [{ name: "etc/passwd", data }] });

    const { exitCode } = await app.run(["-u", "late"], script);

    expect(exitCode).toBe(125);
  });

  kernelTest("cannot write what belongs to root", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await app.run(
      ["-u", "user"],
      ["/bin/sh", "-c", "cat /etc/passwd > /dev/null; echo x > /etc/passwd || echo refused"],
    );

    expect(stdout).toBe("refused\n");
  });
});

/** Ids of three lines in one, the groups in order of their numbers. */
function normal(output: string): string {
  const [uid, gid, groups = ""] = output.trim().split("\n");
  return [uid, gid, ...groups.split(" ").sort((a, b) => Number(a) - Number(b))].join(" ");
}
