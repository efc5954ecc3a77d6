/** config-linux.md, Masked Paths and Readonly Paths. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { conformanceTest } from "./harness.ts";

describe("config-linux.md#masked-paths", () => {
  conformanceTest("cannot be read: files are empty, directories have nothing", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: "cat /srv/file /srv/dir/file 2>/dev/null; ls -A /srv/dir | wc -l; cat /proc/version | wc -c",
      linux: { maskedPaths: ["/srv/file", "/srv/dir", "/proc/version"] },
    });
    mkdirSync(`${bundle.root}/srv/dir`);
    for (const name of ["file", "dir/file"]) writeFileSync(`${bundle.root}/srv/${name}`, "secret\n");

    expect(await runtime.outputOf(bundle)).toBe("0\n0\n");
  });

  conformanceTest("cannot be written", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: "(echo x > /srv/dir/made) 2>/dev/null || echo refused; ls -A /srv/dir",
      linux: { maskedPaths: ["/srv/dir"] },
    });
    mkdirSync(`${bundle.root}/srv/dir`);

    expect(await runtime.outputOf(bundle)).toBe("refused\n");
    expect(readdirSync(`${bundle.root}/srv/dir`)).toEqual([]);
  });

  conformanceTest("that are not there are no error", [], async (runtime) => {
    expect(await runtime.output({ sh: "echo ran", linux: { maskedPaths: ["/no/such/path"] } })).toBe("ran\n");
  });

  conformanceTest("that are not absolute are refused", [], async (runtime) => {
    await runtime.refusal({ linux: { maskedPaths: ["proc/kcore"] } });
  });
});

describe("config-linux.md#readonly-paths", () => {
  conformanceTest("can be read and not written", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: "cat /srv/file; echo x > /srv/file; echo x > /srv/dir/made; echo x > /srv/free; true",
      linux: { readonlyPaths: ["/srv/file", "/srv/dir"] },
    });
    mkdirSync(`${bundle.root}/srv/dir`);
    writeFileSync(`${bundle.root}/srv/file`, "kept\n");

    const { stdout, stderr } = await runtime.run(bundle);

    expect(stdout).toBe("kept\n");
    expect(stderr.match(/Read-only file system/g)?.length).toBe(2);
    expect(await Bun.file(`${bundle.root}/srv/file`).text()).toBe("kept\n");
    expect(await Bun.file(`${bundle.root}/srv/free`).text()).toBe("x\n");
  });

  conformanceTest("keep the kernel's parameters", [], async (runtime) => {
    const bundle = await runtime.bundle({
      sh: "echo 1 > /proc/sys/kernel/msgmax; true",
      linux: { readonlyPaths: ["/proc/sys"] },
    });

    expect((await runtime.run(bundle)).stderr).toContain("Read-only file system");
  });

  conformanceTest("that are not there are no error when they are read-only", [], async (runtime) => {
    expect(await runtime.output({ sh: "echo ran", linux: { readonlyPaths: ["/no/such/path"] } })).toBe(
      "ran\n",
    );
  });

  conformanceTest("that are not absolute are refused when they are read-only", [], async (runtime) => {
    await runtime.refusal({ linux: { readonlyPaths: ["proc/sys"] } });
  });
});
