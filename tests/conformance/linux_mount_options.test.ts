/** config.md, Linux mount options: each is accepted, and those that can be seen are seen in mountinfo. */
import { describe, expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Json, MOUNTS } from "../helpers/runtime_bundle.ts";
import { conformanceTest } from "./harness.ts";

/** Those that a runtime has to know, except for bind, rbind and remount, which are no attributes. */
const REQUIRED =
  "async atime defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec noiversion " +
  "nolazytime norelatime nostrictatime nosuid relatime ro rw silent strictatime suid sync private rprivate shared rshared " +
  "slave rslave unbindable runbindable";

const tmpfs = (name: string, options: readonly string[]): Json => ({
  destination: `/srv/${name}`,
  type: "tmpfs",
  source: name,
  options,
});

/** Attributes of the mounts of a container, by the names of their sources. */
const SHOW = "grep ' /srv/' /proc/self/mountinfo | sed 's/^[^ ]* [^ ]* [^ ]* [^ ]* //'";

describe("config.md#linux-mount-options", () => {
  conformanceTest("that are required are all accepted", [], async (runtime) => {
    const mounts = REQUIRED.split(" ").map((option) => tmpfs(option, [option]));

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    expect(output.trim().split("\n").length).toBe(mounts.length);
  });

  conformanceTest("set the attribute that they name", [], async (runtime) => {
    const attributes = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"];
    const mounts = attributes.map((option) => tmpfs(option, [option]));

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    const seen = output
      .trim()
      .split("\n")
      .map((line) => {
        const [target = "", options = ""] = line.split(" ");
        const name = target.replace("/srv/", "");
        return options.split(",").includes(name) ? name : `${name} is missing in ${options}`;
      });
    expect(seen).toEqual(attributes);
  });

  conformanceTest("set the flag of the file system that they name", [], async (runtime) => {
    const flags = ["sync", "dirsync", "lazytime"];
    const mounts = flags.map((option) => tmpfs(option, [option]));

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    const seen = output
      .trim()
      .split("\n")
      .map((line) => {
        const name = /^\/srv\/(\w+)/.exec(line)?.[1] ?? "";
        return (line.split(" - ")[1] ?? "").split(/[ ,]/).includes(name)
          ? name
          : `${name} is missing in ${line}`;
      });
    expect(seen).toEqual(flags);
  });

  conformanceTest("that are said last count", [], async (runtime) => {
    const mounts = [tmpfs("off", ["ro", "nosuid", "rw", "suid"]), tmpfs("on", ["rw", "ro", "dev", "nodev"])];

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    expect(output).toMatch(/^\/srv\/off rw,relatime /m);
    expect(output).toMatch(/^\/srv\/on ro,nodev,relatime /m);
  });

  conformanceTest("of access times are those of mount(8)", [], async (runtime) => {
    const mounts = ["strictatime", "noatime", "relatime"].map((option) => tmpfs(option, [option]));

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    expect(output).toMatch(/^\/srv\/strictatime rw /m);
    expect(output).toMatch(/^\/srv\/noatime rw,noatime /m);
    expect(output).toMatch(/^\/srv\/relatime rw,relatime /m);
  });

  conformanceTest("of propagation set that of the mount", [], async (runtime) => {
    const mounts = ["shared", "private", "unbindable", "rshared"].map((option) => tmpfs(option, [option]));

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    expect(output).toMatch(/^\/srv\/shared [^ ]+ shared:\d+ - /m);
    expect(output).toMatch(/^\/srv\/rshared [^ ]+ shared:\d+ - /m);
    expect(output).toMatch(/^\/srv\/private [^ ]+ - /m);
    expect(output).toMatch(/^\/srv\/unbindable [^ ]+ unbindable - /m);
  });

  conformanceTest("with remount change the mount that is there", [], async (runtime) => {
    const mounts = [
      { destination: "/srv/x", type: "tmpfs", source: "x", options: ["size=1m"] },
      { destination: "/srv/x", type: "tmpfs", source: "x", options: ["remount", "ro", "size=2m"] },
    ];

    const output = await runtime.output({ sh: SHOW, mounts: [...MOUNTS, ...mounts] });

    expect(output).toMatch(/^\/srv\/x ro,[^\n]*size=2048k[^\n]*\n$/);
  });

  conformanceTest("of a bind mount are those that are listed", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: SHOW,
      mounts: [
        ...MOUNTS,
        { destination: "/srv/b", source: "data", options: ["rbind", "ro", "nosuid", "nodev", "noexec"] },
      ],
    });
    mkdirSync(`${bundle.directory}/data`);

    expect(await runtime.outputOf(bundle)).toMatch(/^\/srv\/b ro,nosuid,nodev,noexec/);
  });

  conformanceTest("with an r before them go to all mounts below", [], async (runtime) => {
    const options = ["rbind", "rro", "rnosuid", "rnodev", "rnoexec"];
    const mounts = [
      ...MOUNTS,
      { destination: "/tree", source: "/dev", options: ["rbind", ...options.slice(1)] },
    ];
    const sh =
      "grep -E ' /tree' /proc/self/mountinfo | cut -d' ' -f6; grep -c ' /tree/' /proc/self/mountinfo";

    const lines = (await runtime.output({ sh, mounts })).trim().split("\n");

    expect(Number(lines.pop())).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatch(/^ro,nosuid,nodev,noexec/);
  });

  conformanceTest("with nosymfollow stop symbolic links", [], async (runtime) => {
    const mounts = [...MOUNTS, tmpfs("x", ["nosymfollow"])];
    const sh = "ln -s /bin /srv/x/link; ls /srv/x/link/ 2>&1; true";

    expect(await runtime.output({ sh, mounts })).toContain("Too many levels of symbolic links");
  });

  conformanceTest("with tmpcopyup bring what was there", [], async (runtime) => {
    const mounts = [...MOUNTS, { destination: "/srv", type: "tmpfs", source: "x", options: ["tmpcopyup"] }];
    const bundle = await runtime.bundle({ sh: "cat /srv/file; echo new > /srv/file", mounts });
    writeFileSync(`${bundle.root}/srv/file`, "old\n", { mode: 0o640 });

    expect(await runtime.outputOf(bundle)).toBe("old\n");
    expect(await Bun.file(`${bundle.root}/srv/file`).text()).toBe("old\n");
  });
});
