/** What a container sees of files: its root, /dev, /proc, /sys, /etc, and nothing of the host. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { MASKED_PATHS, READONLY_PATHS } from "../../../src/runtime/security/paths.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { App, RUN_NEEDS } from "./app.ts";

describe("the root of a container", () => {
  kernelTest("holds what the image has and nothing more", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const names = await app.sh("ls -A /");

    expect(names.trim().split("\n")).toEqual([
      "bin",
      "dev",
      "etc",
      "home",
      "proc",
      "root",
      "sys",
      "tmp",
      "usr",
      "var",
    ]);
  });

  kernelTest("can be written, and what was written is gone with it", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    await app.sh("echo x > /etc/passwd && rm -r /home && mkdir /made");
    const after = await app.sh("head -1 /etc/passwd; ls -d /home /made 2>/dev/null; true");

    expect(after).toBe("root:x:0:0:root:/root:/bin/sh\n/home\n");
  });

  kernelTest("shows a file that a layer removed no more", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      entries: [{ name: "etc/.wh.group" }, { name: "home/.wh..wh..opq" }],
    });

    const names = await app.sh("ls /etc; ls -A /home");

    expect(names.split("\n")).not.toContain("group");
    expect(names.split("\n")).not.toContain("user");
  });

  kernelTest("tells of no host path in its mounts", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const mounts = await app.sh("cat /proc/self/mountinfo /proc/self/mounts");

    expect(mounts).not.toContain(sandbox.directory);
    expect(mounts).not.toContain("/tmp");
  });

  kernelTest("has no way out by going up", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const names = await app.sh("cd / && cd ../../../.. && pwd && ls -A");

    expect(names).toBe(`/\n${await app.sh("ls -A /")}`);
  });

  kernelTest("spreads no mount to the host and takes none from it", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const mounts = await app.sh("cat /proc/self/mountinfo");

    const propagation = mounts
      .trim()
      .split("\n")
      .filter((line) => / (shared|master):/.test(line));
    expect(propagation).toEqual([]);
  });
});

describe("/proc and /sys of a container", () => {
  kernelTest("hide the masked paths", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const present = MASKED_PATHS.filter((path) => existsSync(path));

    const script = `for path in ${present.join(" ")}; do
      if [ -d $path ]; then echo $path $(ls -A $path | wc -l); else echo $path $(stat -c %t:%T $path); fi; done`;
    const seen = await app.sh(script);

    const expected = present.map((path) => (isDirectory(path) ? `${path} 0` : `${path} 1:3`));
    expect(present).not.toBeEmpty();
    expect(seen.trim().split("\n")).toEqual(expected);
  });

  kernelTest("refuse to be written where they are read-only", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const present = READONLY_PATHS.filter((path) => existsSync(path));

    const mounts = await app.sh("cat /proc/self/mountinfo");

    const readonly = mounts
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, , , , , options]) => options?.startsWith("ro"));
    expect(readonly.map(([, , , , path]) => path)).toEqual(expect.arrayContaining([...present]));
    expect(
      await app.sh(
        "echo h > /proc/sysrq-trigger || echo refused; echo 1 > /proc/sys/kernel/panic || echo refused",
      ),
    ).toBe("refused\nrefused\n");
    expect(await app.sh("mkdir /sys/fs/cgroup/made 2>/dev/null || echo refused")).toBe("refused\n");
  });

  kernelTest("hide nothing with --security-opt unmask=ALL or --privileged", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const masked = await app.sh("grep -c ' /proc/' /proc/self/mountinfo || true", ["--privileged"]);

    expect(masked).toBe("0\n");
  });
});

describe("/dev of a container", () => {
  kernelTest("has the default devices and links, and nothing else", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const seen = await app.sh(
      "cd /dev; for name in $(ls -A); do echo $name $(stat -c '%F %t:%T %a' $name) $(readlink $name); done",
    );

    expect(seen.trim().split("\n")).toEqual([
      "fd symbolic link 0:0 777 /proc/self/fd",
      "full character special file 1:7 666",
      "mqueue directory 0:0 1777",
      "null character special file 1:3 666",
      "ptmx symbolic link 0:0 777 pts/ptmx",
      "pts directory 0:0 755",
      "random character special file 1:8 666",
      "shm directory 0:0 1777",
      "stderr symbolic link 0:0 777 /proc/self/fd/2",
      "stdin symbolic link 0:0 777 /proc/self/fd/0",
      "stdout symbolic link 0:0 777 /proc/self/fd/1",
      "tty character special file 5:0 666",
      "urandom character special file 1:9 666",
      "zero character special file 1:5 666",
    ]);
  });

  kernelTest("has devices that work", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh(
      "head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x > /dev/null; echo x > /dev/full || echo full",
    );

    expect(output).toBe("4\n4\nfull\n");
  });

  kernelTest(
    "opens no device that was made, even with the capability to make it",
    RUN_NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox);

      const script = "mknod /tmp/mem c 1 1 && (head -c 1 /tmp/mem || echo refused)";
      const output = await app.sh(script, ["--cap-add", "MKNOD"]);

      expect(output).toBe("refused\n");
    },
  );

  kernelTest("makes no device without the capability", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("mknod /tmp/mem c 1 1 || echo refused");

    expect(output).toBe("refused\n");
  });

  kernelTest("opens no device that the image brings", RUN_NEEDS, async (sandbox) => {
    const entries = [{ name: "srv/" }, { name: "srv/kmsg", type: "char", major: 1, minor: 11, mode: 0o666 }];
    const app = await App.install(sandbox, { entries });

    const output = await app.sh("stat -c %t:%T /srv/kmsg; head -c 1 /srv/kmsg || echo refused");

    expect(output).toBe("1:b\nrefused\n");
  });
});

describe("/etc of a container", () => {
  kernelTest("names the container, and the host's servers of names", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const output = await app.sh("hostname; cat /etc/hostname; grep -c box /etc/hosts; cat /etc/resolv.conf", [
      "--hostname",
      "box",
    ]);

    expect(output).toBe(`box\nbox\n1\n${readFileSync("/etc/resolv.conf", "utf8")}`);
  });

  kernelTest("has files of the container's own that can be written", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);
    const before = readFileSync("/etc/hosts", "utf8");

    const output = await app.sh("echo 192.0.2.1 made >> /etc/hosts && tail -1 /etc/hosts");

    expect(output).toBe("192.0.2.1 made\n");
    expect(readFileSync("/etc/hosts", "utf8")).toBe(before);
  });

  kernelTest("names every container by twelve digits of its id", RUN_NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const [first, second] = [await app.sh("hostname"), await app.sh("hostname")];

    expect(first).toMatch(/^[0-9a-f]{12}\n$/);
    expect(second).not.toBe(first);
  });
});

const isDirectory = (path: string): boolean => Bun.spawnSync(["test", "-d", path]).exitCode === 0;
