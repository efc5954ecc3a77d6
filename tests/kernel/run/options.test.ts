/** Options of `run` that decide what is run, and what the image's configuration says when they are not given. */
import { describe, expect } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

const print = ["/bin/sh", "-c", 'for word in "$0" "$@"; do echo "[$word]"; done'];

describe("the command", () => {
  kernelTest("is the image's Entrypoint and Cmd", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      config: { Entrypoint: ["echo", "entry"], Cmd: ["cmd", "two words"] },
    });

    const { stdout } = await app.run([], []);

    expect(stdout).toBe("entry cmd two words\n");
  });

  kernelTest("replaces Cmd and follows Entrypoint", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { Entrypoint: ["echo", "entry"], Cmd: ["cmd"] } });

    const { stdout } = await app.run([], ["given", "-e", "--rm"]);

    expect(stdout).toBe("entry given -e --rm\n");
  });

  kernelTest("follows --entrypoint, which drops both of the image", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { Entrypoint: ["false"], Cmd: ["cmd"] } });

    const { stdout, exitCode } = await app.run(["--entrypoint", "echo"], ["given"]);
    const alone = await app.run(["--entrypoint", "pwd"], []);

    expect({ stdout, exitCode }).toEqual({ stdout: "given\n", exitCode: 0 });
    expect(alone.stdout).toBe("/\n");
  });

  kernelTest("keeps every byte of its words", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const words = ["", " ", "two\nlines", "ü€", "$HOME", "'\"\\", "-t", "--"];

    const { stdout } = await app.run([], [...print, ...words]);

    expect(stdout).toBe(words.map((word) => `[${word}]\n`).join(""));
  });

  kernelTest("is missing when neither image nor user names one", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { Cmd: [] } });

    const { exitCode, stderr } = await app.run([], []);

    expect(exitCode).toBe(125);
    expect(stderr).toContain("names no command");
  });
});

describe("the environment", () => {
  kernelTest("is the image's, changed by --env-file, then by -e", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      config: { Env: ["PATH=/bin", "A=image", "B=image", "C=image"] },
    });
    const file = `${sandbox.directory}/env`;
    writeFileSync(file, "# comment\nB=file\nC=file\nD=with spaces \n");

    const { stdout } = await app.run(["--env-file", file, "-e", "C=option"], ["/bin/env"]);

    const lines = stdout.split("\n");
    expect(lines).toEqual(expect.arrayContaining(["A=image", "B=file", "C=option", "D=with spaces "]));
  });

  kernelTest("takes the caller's value of a name without one", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { Env: ["PATH=/bin", "GONE=image"] } });

    const { stdout } = await app.run(["-e", "GIVEN", "-e", "GONE"], ["/bin/env"], {
      env: { GIVEN: "by the caller" },
    });

    expect(stdout).toContain("GIVEN=by the caller\n");
    expect(stdout).not.toContain("GONE");
  });

  kernelTest("says which file of variables cannot be read", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["--env-file", "/missing/env"], ["/bin/true"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain('"/missing/env"');
  });

  kernelTest("has the home of the user, unless the image names another", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    expect(await app.sh("echo $HOME", ["-u", "user"])).toBe("/home/user\n");
    expect(await app.sh("echo $HOME", ["-u", "4711"])).toBe("/\n");
    expect(await app.sh("echo $HOME", ["-u", "user", "-e", "HOME=/srv"])).toBe("/srv\n");
  });
});

describe("the working directory", () => {
  kernelTest("is the image's, or that of -w, and is made where it is missing", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { config: { WorkingDir: "/home/user" } });

    expect(await app.sh("pwd")).toBe("/home/user\n");
    expect(await app.sh("pwd", ["-w", "/made/by/run"])).toBe("/made/by/run\n");
  });

  kernelTest("must be an absolute path", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["-w", "relative"], ["/bin/pwd"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain('"relative"');
  });

  kernelTest("must be a directory", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stdout, stderr } = await app.run(["-w", "/etc/passwd"], ["/bin/pwd"]);

    expect({ exitCode: (exitCode ?? 0) >= 125, stdout }).toEqual({ exitCode: true, stdout: "" });
    expect(stderr).toContain("/etc/passwd");
  });
});

describe("the hostname", () => {
  kernelTest("is that of --hostname, and the host's stays", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const before = Bun.spawnSync(["hostname"]).stdout.toString();

    expect(await app.sh("hostname", ["--hostname", "box.example"])).toBe("box.example\n");
    expect(Bun.spawnSync(["hostname"]).stdout.toString()).toBe(before);
  });
});

describe("--name", () => {
  kernelTest(
    "is refused while a container of that name runs, and free afterwards",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const script = "echo ready; read line";
      const first = app.start(["-i", "--name", "one"], ["/bin/sh", "-c", script]);
      await first.output("ready\n");

      const second = await app.run(["--name", "one"], ["/bin/true"]);
      first.type("\n");
      await first.exited;
      const third = await app.run(["--name", "one"], ["/bin/true"]);

      expect(second.exitCode).toBe(125);
      expect(second.stderr).toContain('"one"');
      expect(third.exitCode).toBe(0);
      expect(readdirSync(sandbox.state)).toEqual([]);
    },
  );
});

describe("--network none", () => {
  kernelTest("leaves the loopback interface, up, and nothing else", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const names = await app.sh("ls /sys/class/net; ip -o addr", ["--network", "none"]);

    expect(names).toMatch(/^lo\n/);
    expect(names).toContain("inet 127.0.0.1/8");
    expect(names.match(/^\d+: /gm)).toHaveLength(names.match(/^\d+: lo /gm)?.length ?? -1);
    expect(await app.sh("cat /etc/resolv.conf", ["--network", "none"])).toBe("");
  });
});

describe("-i", () => {
  kernelTest("hands standard input over, byte by byte", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await app.run(["-i"], ["/bin/cat"], { stdin: "a\0b\r\nü" });

    expect(stdout).toBe("a\0b\r\nü");
  });

  kernelTest("left out gives an empty standard input", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await app.run([], ["/bin/sh", "-c", "cat; readlink /proc/self/fd/0"], {
      stdin: "secret",
    });

    expect(stdout).toBe("/dev/null\n");
  });
});

describe("the outputs of a command", () => {
  kernelTest("arrive as they were written, each by itself", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout, stderr } = await app.run(
      [],
      ["/bin/sh", "-c", "printf 'a\\0\\377\\r\\n'; printf 'e\\n' >&2"],
    );

    expect([...new TextEncoder().encode(stdout)].slice(0, 2)).toEqual([0x61, 0]);
    expect(stdout).toEndWith("\r\n");
    expect(stderr).toBe("e\n");
  });

  kernelTest("can be opened by name", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout, stderr } = await app.run(
      [],
      ["/bin/sh", "-c", "echo o > /dev/stdout; echo e > /dev/stderr"],
    );

    expect({ stdout, stderr }).toEqual({ stdout: "o\n", stderr: "e\n" });
  });
});

describe("--explain", () => {
  kernelTest("prints the system calls and makes none of them", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stdout } = await app.run(["--explain"], ["/bin/touch", "/made"]);

    expect(exitCode).toBe(0);
    expect(stdout).toContain("pivot_root(");
    expect(stdout).toMatch(/execve\("\/bin\/touch"/);
  });
});
