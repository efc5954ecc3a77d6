/** config.md#linux-process: apparmorProfile. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { AppArmorProfile } from "../helpers/apparmor_profile.ts";
import type { Need } from "../helpers/requires.ts";
import { conformanceTest } from "./harness.ts";

const NEEDS: readonly Need[] = ["apparmor"];

const script = "cat /proc/self/attr/current; cat /open; cat /secret 2>&1 || true";
const denied = "cat: can't open '/secret': Permission denied\n";

describe("config.md#linux-process: apparmorProfile", () => {
  conformanceTest("confines the process from its start", NEEDS, async (runtime) => {
    using profile = new AppArmorProfile("deny /secret rwl,");
    const bundle = await runtime.bundle({ sh: script, process: { apparmorProfile: profile.name } });
    for (const name of ["open", "secret"]) writeFileSync(`${bundle.root}/${name}`, `${name}\n`);

    const output = await runtime.outputOf(bundle);

    expect(output).toBe(`${profile.name} (enforce)\nopen\n${denied}`);
  });

  conformanceTest("holds for a user with no_new_privs too", NEEDS, async (runtime) => {
    using profile = new AppArmorProfile("deny /secret rwl,");
    const process = { apparmorProfile: profile.name, noNewPrivileges: true, user: { uid: 1000, gid: 1000 } };
    const bundle = await runtime.bundle({ sh: script, process });
    for (const name of ["open", "secret"]) writeFileSync(`${bundle.root}/${name}`, `${name}\n`);

    const output = await runtime.outputOf(bundle);

    expect(output).toBe(`${profile.name} (enforce)\nopen\n${denied}`);
  });

  conformanceTest("holds for what is executed in the container", NEEDS, async (runtime) => {
    using profile = new AppArmorProfile("");
    using other = new AppArmorProfile("");
    const process = { apparmorProfile: profile.name };
    const container = await runtime.start({ sh: "while :; do sleep 1; done", process });
    const show = "cat /proc/self/attr/current";

    expect(await container.sh(show)).toBe(`${profile.name} (enforce)\n`);
    expect(await container.sh(show, "--apparmor", other.name)).toBe(`${other.name} (enforce)\n`);
    await expect(container.sh(show, "--apparmor", "bunker-no-such-profile")).rejects.toThrow(
      "exec ended with",
    );
  });

  conformanceTest("that is not loaded is refused", NEEDS, async (runtime) => {
    const messages = await runtime.refusal({ process: { apparmorProfile: "bunker-no-such-profile" } });

    expect(messages).toMatch(runtime.name === "bunker" ? /bunker-no-such-profile/ : /attr.*no such file/i);
  });
});
