/** `-v`, `--mount`, `--tmpfs` and `--read-only`. */
import { describe, expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

describe("-v", () => {
  kernelTest("shows a directory of the host, which the command writes to", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const volume = volumeOf(sandbox);

    const output = await app.sh("cat /data/file; echo new > /data/made", ["-v", `${volume}:/data`]);

    expect(output).toBe("content\n");
    expect(readFileSync(`${volume}/made`, "utf8")).toBe("new\n");
  });

  kernelTest("with ro refuses to be written, mounts below it too", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const volume = volumeOf(sandbox);

    const output = await app.sh(
      "touch /data/file 2>/dev/null || echo refused; mount -o remount,rw /data 2>/dev/null || echo refused",
      ["-v", `${volume}:/data:ro`],
    );

    expect(output).toBe("refused\nrefused\n");
  });

  kernelTest("mounts a single file", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const volume = volumeOf(sandbox);

    const output = await app.sh("cat /etc/group /made/here", [
      ...["-v", `${volume}/file:/etc/group:ro`],
      ...["-v", `${volume}/file:/made/here`],
    ]);

    expect(output).toBe("content\ncontent\n");
  });

  kernelTest("says that a file goes on no directory", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { exitCode, stderr } = await app.run(["-v", `${volumeOf(sandbox)}/file:/etc`], ["/bin/true"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain("hint: Mount a directory on a directory, and a file on a file");
  });

  kernelTest(
    "makes a missing directory of the host, as docker does, or says that it is missing",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const missing = `${sandbox.directory}/missing`;

      const { exitCode, stderr } = await app.run(["-v", `${missing}:/data`], ["/bin/true"]);

      if (exitCode === 0) expect(readdirSync(missing)).toEqual([]);
      else expect({ exitCode, stderr }).toEqual({ exitCode: 125, stderr: expect.stringContaining(missing) });
    },
  );

  kernelTest("goes through links of the image and stays inside its root", RUN_NEEDS, async (sandbox) => {
    const entries = [
      { name: "link", type: "symlink", link: "/tmp" },
      { name: "up", type: "symlink", link: `../../../../../../${sandbox.directory}/outside` },
    ];
    const app = await App.install(sandbox, { entries });
    const [volume, outside] = [volumeOf(sandbox), `${sandbox.directory}/outside`];
    mkdirSync(outside);

    const output = await app.sh("cat /tmp/data/file; ls -d /link", ["-v", `${volume}:/link/data`]);
    const escaping = await app.run(["-v", `${volume}:/up/data`], ["/bin/true"]);

    expect(output).toBe("content\n/link\n");
    expect(escaping).toMatchObject({ exitCode: 125, stdout: "" });
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync("/tmp/data")).toBeFalse();
  });

  kernelTest("follows links of the host", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    symlinkSync(volumeOf(sandbox), `${sandbox.directory}/link`);

    expect(await app.sh("cat /data/file", ["-v", `${sandbox.directory}/link:/data`])).toBe("content\n");
  });

  kernelTest(
    "hides what the image has there, and the later of two hides the first",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);
      const [first, second] = [volumeOf(sandbox, "first"), volumeOf(sandbox, "second")];

      const output = await app.sh("ls /home; cat /home/inner/file", [
        ...["-v", `${first}:/home`],
        ...["-v", `${second}:/home/inner`],
      ]);

      expect(output).toBe("file\ninner\ncontent\n");
    },
  );

  kernelTest("cannot cover the container's /proc", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const volume = volumeOf(sandbox);

    for (const target of ["/proc", "/proc/self/attr", "/proc/sys"]) {
      const { exitCode, stdout } = await app.run(
        ["-v", `${volume}:${target}`],
        ["/bin/cat", "/proc/self/status"],
      );

      expect({ target, exitCode, stdout }).toEqual({ target, exitCode: 125, stdout: "" });
    }
  });
});

describe("--mount", () => {
  kernelTest("binds, and refuses a source that is missing", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const volume = volumeOf(sandbox);

    const output = await app.sh("cat /data/file; touch /data/file 2>/dev/null || echo refused", [
      ...["--mount", `type=bind,src=${volume},dst=/data,readonly`],
    ]);
    const missing = await app.run(["--mount", "type=bind,src=/missing/here,dst=/data"], ["/bin/true"]);

    expect(output).toBe("content\nrefused\n");
    expect(missing.exitCode).toBe(125);
    expect(missing.stderr).toContain('"/missing/here"');
  });

  kernelTest("makes a tmpfs of a size", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("df -k /data | tail -1", ["--mount", "type=tmpfs,dst=/data,tmpfs-size=1m"]);

    expect(output).toMatch(/^\w+ +1024 /);
  });
});

describe("--tmpfs", () => {
  kernelTest("is empty, writable, and runs no programs unless told", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const script = "ls /home; cp /bin/busybox /home/true && (/home/true || echo refused); stat -c %a /home";

    const closed = await app.sh(script, ["--tmpfs", "/home:mode=700"]);
    const open = await app.sh(script, ["--tmpfs", "/home:mode=700,exec"]);

    expect(closed).toBe("refused\n700\n");
    expect(open).toBe("700\n");
  });
});

describe("--read-only", () => {
  kernelTest("refuses to be written everywhere but in volumes and on /dev", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const script = `for path in /x /etc/x /tmp/x /data/x /run/x /dev/shm/x; do
      (touch $path) 2>/dev/null && echo $path; done; true`;

    const written = await app.sh(script, [
      "--read-only",
      "--tmpfs",
      "/run",
      "-v",
      `${volumeOf(sandbox)}:/data`,
    ]);

    expect(written).toBe("/data/x\n/run/x\n/dev/shm/x\n");
  });
});

/** A directory of the host with a file in it. */
function volumeOf(sandbox: Sandbox, name = "volume"): string {
  const path = `${sandbox.directory}/${name}`;
  mkdirSync(path);
  writeFileSync(`${path}/file`, "content\n");
  return path;
}
