/** A compiled set-up that is used again makes the same container: ADR 0008. The executable, since sources keep nothing. */
import { describe, expect } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { Need } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./run/app.ts";

const NEEDS: readonly Need[] = [...RUN_NEEDS, "the executable"];
const program = { program: "dist/bunker" } as const;

describe("a container from a kept set-up", () => {
  kernelTest("is the same as one that was planned", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const look = async (flags: readonly string[]) => {
      const name = "cat /etc/hostname";
      const script =
        "mount; env | sort; id; cat /proc/self/status | grep -E 'Cap|Sec|NoNew'; ls -l /dev; cat /etc/hosts";
      const [id = "", text] = (await app.sh(`${name}; ${script}`, flags, program)).split(/\n(.*)/s);
      return (text ?? "").replaceAll(id, "ID").replaceAll(/ [A-Z][a-z]{2} +\d+ \d\d:\d\d/g, "");
    };

    for (const flags of [[], ["-u", "user"], ["-u", "1000:50", "-e", "HOME=/x"], ["--read-only", "--init"]]) {
      const planned = await look(flags);
      const kept = filesOf(sandbox).length;
      const again = await look(flags);

      expect(again).toBe(planned);
      expect(filesOf(sandbox)).toHaveLength(kept);
    }
  });

  kernelTest("asks again when the user mounts something", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const passwd = `${sandbox.directory}/passwd`;
    const run = (home: string) => {
      writeFileSync(passwd, `root:x:0:0:root:${home}:/bin/sh\n`);
      return app.sh("echo $HOME", ["-v", `${passwd}:/etc/passwd`], program);
    };

    expect([await run("/first"), await run("/second")]).toEqual(["/first\n", "/second\n"]);
  });

  kernelTest("is planned anew where the file is damaged", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    await app.sh("true", [], program);
    const [name = ""] = filesOf(sandbox);
    const path = `${sandbox.root}/cache/programs/${name}`;
    const content = readFileSync(path);
    writeFileSync(path, Buffer.alloc(content.length));

    const output = await app.sh("echo works", [], program);

    expect(output).toBe("works\n");
    // Only texts in slots, such as the container's name, may differ.
    expect(headOf(readFileSync(path))).toEqual(headOf(content));
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  kernelTest("names the step that fails, in the set-up and in the command", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const fail = async () => {
      const command = await app.run([], ["/nope"], program);
      const directory = await app.run(["-w", "/etc/passwd"], ["true"], program);
      return [command.stderr, directory.stderr].map((text) => text.replaceAll(/[0-9a-f]{12}/g, "ID"));
    };

    const planned = await fail();

    expect(planned.join()).toContain('execve("/nope"');
    expect(await fail()).toEqual(planned);
  });
});

const filesOf = ({ root }: Sandbox): readonly string[] => readdirSync(`${root}/cache/programs`).sort();

const headOf = (file: Buffer): string => file.subarray(0, file.indexOf("\n")).toString();
