/** Mounts of config.json with their options, as /proc/self/mountinfo shows them to the process. */
import { describe, expect } from "bun:test";
import { mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { MS_PRIVATE, MS_SHARED } from "../../../src/linux/abi/mount.ts";
import { call, cstr } from "../../../src/linux/call.ts";
import type { Mount } from "../../../src/oci/bundle/config.ts";
import { configWith, type MountLine, makeBundle, mountsOf, runInRoot } from "../../helpers/bundle_root.ts";
import { kernelTest } from "../../helpers/sandbox.ts";

const needs = ["root", "program busybox"] as const;

/** A bundle with a directory and a file that can be bound. */
function makeBundleWithSources(directory: string): string {
  const bundle = makeBundle(directory);
  mkdirSync(`${bundle}/source/below`, { recursive: true });
  writeFileSync(`${bundle}/source/file`, "content\n");
  return bundle;
}

/** What mountinfo says inside about the mounts of a configuration. */
async function seen(
  directory: string,
  mounts: readonly Mount[],
): Promise<Readonly<Record<string, MountLine>>> {
  const bundle = makeBundleWithSources(directory);
  const { output, failure } = await runInRoot({
    config: configWith(mounts),
    bundle,
    script: "cat /proc/self/mountinfo",
  });
  expect(failure).toBeUndefined();
  return mountsOf(output);
}

const tmpfs = (destination: string, ...options: string[]): Mount => ({ destination, type: "tmpfs", options });
const bind = (destination: string, source: string, ...options: string[]): Mount => ({
  destination,
  source,
  options,
});

describe("planMounts() with options", () => {
  const cases: ReadonlyArray<readonly [options: string, seen: string]> = [
    ["nosuid,nodev,noexec", "rw,nosuid,nodev,noexec,relatime"],
    ["ro", "ro,relatime"],
    ["ro,rw", "rw,relatime"],
    ["nosuid,suid,nodev,dev,noexec,exec", "rw,relatime"],
    ["noatime", "rw,noatime"],
    ["strictatime", "rw"],
    ["strictatime,relatime", "rw,relatime"],
    ["noatime,atime", "rw,relatime"],
    ["nodiratime", "rw,nodiratime,relatime"],
    ["nosymfollow", "rw,relatime,nosymfollow"],
    ["rro,rnosuid,rnoatime", "ro,nosuid,noatime"],
    ["defaults,silent,loud,noacl,noiversion", "rw,relatime"],
  ];

  kernelTest("gives a tmpfs each of them", needs, async ({ directory }) => {
    const mounts = cases.map(([options], index) => tmpfs(`/t${index}`, ...options.split(",")));

    const lines = await seen(directory, mounts);

    const found = cases.map(([options], index) => [options, lines[`/t${index}`]?.options]);
    expect(found).toEqual(cases.map(([options, expected]) => [options, expected]));
  });

  kernelTest("gives a bind mount each of them", needs, async ({ directory }) => {
    const mounts = cases.map(([options], index) =>
      bind(`/b${index}`, "source", "rbind", ...options.split(",")),
    );

    const lines = await seen(directory, mounts);

    const found = cases.map(([options], index) => [options, lines[`/b${index}`]?.options]);
    expect(found).toEqual(cases.map(([options, expected]) => [options, expected]));
  });

  kernelTest("sets flags of the superblock", needs, async ({ directory }) => {
    const mounts = [
      tmpfs("/a", "sync", "dirsync"),
      tmpfs("/b", "lazytime", "iversion"),
      tmpfs("/c", "sync", "async"),
    ];

    const lines = await seen(directory, mounts);

    expect(lines["/a"]?.superblock).toStartWith("rw,sync,dirsync");
    expect(lines["/b"]?.superblock).toStartWith("rw,lazytime");
    expect(lines["/c"]?.superblock).toBe("rw");
  });

  kernelTest("passes data in one string or in many", needs, async ({ directory }) => {
    const mounts = [tmpfs("/a", "size=1m,mode=711"), tmpfs("/b", "size=2m", "mode=700", "uid=7")];

    const lines = await seen(directory, mounts);

    expect(lines["/a"]?.superblock).toBe("rw,size=1024k,mode=711");
    expect(lines["/b"]?.superblock).toBe("rw,size=2048k,mode=700,uid=7");
  });

  kernelTest("reaches what is mounted below with the recursive ones only", needs, async ({ directory }) => {
    const mounts = [
      tmpfs("/a"),
      tmpfs("/a/below"),
      tmpfs("/a", "remount", "nosuid"),
      { destination: "/a", options: ["remount", "bind", "rnodev"] },
    ];

    const lines = await seen(directory, mounts);

    expect(lines["/a"]?.options).toBe("rw,nosuid,nodev,relatime");
    expect(lines["/a/below"]?.options).toBe("rw,nodev,relatime");
  });

  kernelTest("changes what is mounted with remount", needs, async ({ directory }) => {
    const mounts = [
      tmpfs("/a", "size=1m"),
      tmpfs("/a", "remount", "size=2m", "nosuid"),
      bind("/b", "source", "bind"),
      bind("/b", "source", "bind", "remount", "ro", "nodev"),
    ];

    const lines = await seen(directory, mounts);

    expect(lines["/a"]).toMatchObject({ options: "rw,nosuid,relatime", superblock: "rw,size=2048k" });
    expect(lines["/b"]?.options).toBe("ro,nodev,relatime");
  });

  kernelTest("propagates as it is told", needs, async ({ directory }) => {
    const host = `${directory}/host`;
    mkdirSync(host);
    call("mount", cstr("tmpfs"), cstr(host), cstr("tmpfs"), 0, null);
    try {
      call("mount", null, cstr(host), null, MS_SHARED, null);
      const names = [
        "private",
        "rprivate",
        "slave",
        "rslave",
        "shared",
        "rshared",
        "unbindable",
        "runbindable",
      ];
      const mounts = names.map((name) => bind(`/${name}`, host, "rbind", name));

      const lines = await seen(directory, [...mounts, bind("/untold", host, "bind")]);

      const found = Object.fromEntries(
        [...names, "untold"].map((name) => [name, lines[`/${name}`]?.propagation.replace(/\d+/g, "N")]),
      );
      expect(found).toEqual({
        private: "",
        rprivate: "",
        slave: "master:N",
        rslave: "master:N",
        shared: "shared:N master:N",
        rshared: "shared:N master:N",
        unbindable: "unbindable",
        runbindable: "unbindable",
        untold: "master:N",
      });
    } finally {
      call("mount", null, cstr(host), null, MS_PRIVATE, null);
      call("umount2", cstr(host), 0);
    }
  });

  kernelTest(
    "lets mounts of the container reach the host only through a shared root",
    needs,
    async ({ directory }) => {
      const host = `${directory}/host`;
      mkdirSync(host);
      call("mount", cstr("tmpfs"), cstr(host), cstr("tmpfs"), 0, null);
      try {
        call("mount", null, cstr(host), null, MS_SHARED, null);
        const bundle = makeBundleWithSources(directory);
        const volume = bind("/volume", host, "rbind", "rshared");
        const script =
          'mkdir "/volume/$0"; busybox mount -t tmpfs x "/volume/$0"; busybox touch "/volume/$0/made"';

        for (const [name, rootfsPropagation] of [
          ["slave", "rslave"],
          ["shared", "shared"],
        ] as const)
          await runInRoot({
            config: configWith([volume], { linux: { rootfsPropagation } }),
            bundle,
            script: script.replaceAll("$0", name),
          });

        expect(statSync(`${host}/slave`).dev).toBe(statSync(host).dev);
        expect(statSync(`${host}/shared/made`).isFile()).toBe(true);
        expect(statSync(`${bundle}/rootfs/proc`).dev).toBe(statSync(bundle).dev);
      } finally {
        call("umount2", cstr(host), 2);
      }
    },
  );
});

describe("planMounts() with destinations", () => {
  kernelTest(
    "makes what is missing: directories, files, through links inside the root",
    needs,
    async ({ directory }) => {
      const bundle = makeBundleWithSources(directory);
      symlinkSync("/tmp", `${bundle}/rootfs/link`);
      symlinkSync("../run/stub/resolv.conf", `${bundle}/rootfs/etc/resolv.conf`);
      symlinkSync("/../../../../../nowhere/deep", `${bundle}/rootfs/dangling`);
      const mounts = [
        tmpfs("/a/b/c"),
        tmpfs("relative/./x/.."),
        bind("/link/d/e", "source", "rbind"),
        bind("/etc/resolv.conf", "source/file", "bind"),
        tmpfs("/dangling"),
      ];
      const script = "cat /etc/resolv.conf /run/stub/resolv.conf; ls /tmp/d/e; cat /proc/self/mountinfo";

      const { output, failure } = await runInRoot({ config: configWith(mounts), bundle, script });

      expect(failure).toBeUndefined();
      expect(output).toStartWith("content\ncontent\nbelow\nfile\n");
      const points = ["/a/b/c", "/relative", "/tmp/d/e", "/run/stub/resolv.conf", "/nowhere/deep"];
      expect(Object.keys(mountsOf(output))).toEqual(expect.arrayContaining(points));
    },
  );

  kernelTest(
    "gives a tmpfs the permissions of the directory that it covers",
    needs,
    async ({ directory }) => {
      const bundle = makeBundleWithSources(directory);
      mkdirSync(`${bundle}/rootfs/spool`);
      const { chmodSync } = await import("node:fs");
      chmodSync(`${bundle}/rootfs/spool`, 0o1770);
      const config = configWith([tmpfs("/spool"), tmpfs("/none")]);

      const { output } = await runInRoot({ config, bundle, script: "stat -c %a /spool /none" });

      expect(output).toBe("1770\n1777\n");
    },
  );

  kernelTest("copies what a tmpfs covers with tmpcopyup, and nothing back", needs, async ({ directory }) => {
    const bundle = makeBundleWithSources(directory);
    mkdirSync(`${bundle}/rootfs/copy/deep`, { recursive: true, mode: 0o750 });
    writeFileSync(`${bundle}/rootfs/copy/deep/file`, "text\n", { mode: 0o640 });
    const config = configWith([tmpfs("/copy", "tmpcopyup", "nosuid", "size=1m")]);
    const script =
      "cat /copy/deep/file; stat -c %a /copy/deep/file; rm -r /copy/deep; grep /copy /proc/self/mountinfo";

    const { output } = await runInRoot({ config, bundle, script });

    expect(output).toStartWith("text\n640\n");
    expect(mountsOf(output)["/copy"]).toMatchObject({
      options: "rw,nosuid,relatime",
      superblock: "rw,size=1024k",
    });
    expect(statSync(`${bundle}/rootfs/copy/deep/file`).size).toBe(5);
  });

  kernelTest("copies links and mounts on them as crun's options say", needs, async ({ directory }) => {
    const bundle = makeBundleWithSources(directory);
    symlinkSync("file", `${bundle}/source/link`);
    symlinkSync("/tmp", `${bundle}/rootfs/link`);
    const mounts = [
      bind("/copied", "source/link", "bind", "copy-symlink"),
      bind("/itself", "source/link", "bind", "src-nofollow"),
      bind("/link", "source/file", "bind", "dest-nofollow"),
    ];
    const script = "readlink /copied; readlink /itself; cat /link; ls -A /tmp";

    const { output, failure } = await runInRoot({ config: configWith(mounts), bundle, script });

    expect(failure).toBeUndefined();
    expect(output).toBe("file\nfile\ncontent\n");
  });

  kernelTest(
    "mounts an overlay whose options are longer than fsconfig takes",
    [...needs, "overlayfs"],
    async ({ directory }) => {
      const bundle = makeBundleWithSources(directory);
      const layers = Array.from({ length: 12 }, (_, index) => `${bundle}/layers/layer-${index}`);
      for (const [index, layer] of layers.entries()) {
        mkdirSync(layer, { recursive: true });
        writeFileSync(`${layer}/file${index}`, "");
      }
      const options = [`lowerdir=${layers.join(":")}`, "nosuid", "ro"];
      const config = configWith([{ destination: "/merged", type: "overlay", source: "overlay", options }]);

      const { output, failure } = await runInRoot({
        config,
        bundle,
        script: "ls /merged | wc -l; cat /proc/self/mountinfo",
      });

      expect(failure).toBeUndefined();
      expect(output).toStartWith("12\n");
      expect(mountsOf(output)["/merged"]).toMatchObject({ type: "overlay", options: "ro,nosuid,relatime" });
    },
  );
});
