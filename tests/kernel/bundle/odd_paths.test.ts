/** Bundles and roots of the runtime in odd places: links, quotes, hundreds of mounts. */
import { describe, expect } from "bun:test";
import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { ID_MAP, MOUNTS } from "../../helpers/runtime_bundle.ts";
import { bundleTest } from "../../helpers/runtime_test.ts";

describe("a bundle", () => {
  bundleTest("may have nearly as large an environment as the kernel takes", async (runtime) => {
    const env = Array.from({ length: 19 }, (_, index) => `V${index}=${"x".repeat(100_000)}`);
    const process = { env: ["PATH=/bin", ...env] };

    expect(await runtime.output({ sh: "env | wc -c", process })).toMatch(/^19001\d\d\n$/);
  });

  bundleTest("may have a symbolic link as its root", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "ls / | xargs" });
    renameSync(bundle.root, `${bundle.directory}/other`);
    symlinkSync("other", bundle.root);

    expect(await runtime.outputOf(bundle)).toBe("bin dev etc proc srv sys tmp var\n");
  });

  bundleTest("is named by its state without what its path goes back", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "exec sleep 60" });
    const base = bundle.directory.slice(runtime.directory.length + 1);

    const container = await runtime.create({
      ...bundle,
      directory: `${runtime.directory}/./${base}/../${base}//`,
    });

    expect((await container.state()).bundle).toBe(bundle.directory);
  });

  bundleTest("may have spaces, quotes and a backslash in its path", async (runtime) => {
    const bundle = await runtime.bundle({ sh: "echo here" });
    const directory = `${runtime.directory}/a b "c" 'd' \\e`;
    renameSync(bundle.directory, directory);

    expect(await runtime.outputOf({ ...bundle, directory, root: `${directory}/rootfs` })).toBe("here\n");
  });

  for (const [what, own, each] of [
    [
      "in a user namespace",
      { namespaces: ["pid", "mount", "user"], uidMappings: ID_MAP, gidMappings: ID_MAP },
      {},
    ],
    ["with ids that are mapped", {}, { uidMappings: ID_MAP, gidMappings: ID_MAP }],
  ] as const) {
    bundleTest(`may have 300 mounts of the host ${what}`, async (runtime) => {
      const mounts = Array.from({ length: 300 }, (_, index) => ({
        destination: `/tmp/${index}`,
        type: "bind",
        source: `${runtime.directory}/file`,
        options: ["bind", "ro"],
        ...each,
      }));
      writeFileSync(`${runtime.directory}/file`, "");
      const { namespaces, ...maps } = { namespaces: ["pid", "mount"], ...own };
      const linux = { ...maps, namespaces: namespaces.map((type) => ({ type })) };

      const output = await runtime.output({
        sh: "grep -c ' /tmp/[0-9]* ' /proc/self/mountinfo",
        mounts: [...MOUNTS, { destination: "/tmp", type: "tmpfs", source: "tmpfs" }, ...mounts],
        linux,
      });

      expect(output).toBe("300\n");
    });
  }
});
