/** Changes of containers in the lesser grades of isolation: told where they are to be had, refused with the reason elsewhere. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Box, bunkerFrom, SOURCES } from "../../helpers/box.ts";
import { programs } from "../../helpers/bunker.ts";
import { CONFINED_NEEDS, dockerCapabilities, onOverlay, refusing } from "../../helpers/confined.ts";
import { runPiped } from "../../helpers/pipes.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { listTar } from "../../helpers/tar_listing.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

const NEEDS = [...RUN_NEEDS, ...CONFINED_NEEDS];
const [EPERM, EACCES] = [1, 13];
const noMounts = refusing({ pivot_root: EPERM, keyctl: EPERM, mount: EACCES, move_mount: EACCES });

const OLD: readonly TarEntry[] = [
  { name: "opt/" },
  { name: "opt/one", data: "1" },
  { name: "opt/two", data: "2" },
  { name: "opt/dir/" },
  { name: "opt/dir/in", data: "3" },
  { name: "opt/link", type: "symlink", link: "one" },
];

const CHANGES = [
  "echo more >> /opt/one; rm /opt/two; rm -r /opt/dir; mkdir /opt/dir; echo new > /opt/dir/new",
  "rm /opt/link; ln -s two /opt/link; mkdir /added; echo x > /added/file; ln /added/file /added/second",
].join("; ");

const DIFF = [
  "A /added",
  "A /added/file",
  "A /added/second",
  "C /opt",
  "C /opt/dir",
  "D /opt/dir/in",
  "A /opt/dir/new",
  "C /opt/link",
  "C /opt/one",
  "D /opt/two",
];

describe("a container whose root is a copy", () => {
  for (const [what, prefix] of [
    ["without mount", noMounts],
    ["as in docker with AppArmor", [...dockerCapabilities, ...noMounts]],
  ] as const) {
    kernelTest(`${what} is told, exported and committed as any other`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox, { entries: OLD });
      const file = `${sandbox.directory}/box.tar`;
      const box = await Box.start(app, CHANGES, [], prefix);

      const diff = await bunkerFrom(sandbox, ["diff", "box"]);
      const exported = await bunkerFrom(sandbox, ["export", "-o", file, "box"]);
      const commit = await bunkerFrom(sandbox, ["commit", "box", "new"]);
      await box.end();
      const script = "cat /opt/one /opt/dir/* /added/second; readlink /opt/link; ls /opt /dev/null";
      const run = await bunkerFrom(sandbox, ["run", "new", "/bin/sh", "-c", script]);

      expect(diff).toMatchObject({ exitCode: 0, stderr: "" });
      expect(diff.stdout.trim().split("\n").sort()).toEqual([...DIFF].sort());
      expect(exported).toMatchObject({ exitCode: 0, stderr: "" });
      const paths = listTar(readFileSync(file)).map(({ path }) => path);
      expect(paths).toContain("opt/dir/new");
      expect(paths.filter((path) => /^(?:dev\/.|etc\/hosts|etc\/resolv)/.test(path))).toEqual([]);
      expect(commit).toMatchObject({ exitCode: 0, stderr: "" });
      expect(run.stdout).toBe("1more\nnew\nx\ntwo\n/dev/null\n\n/opt:\ndir\nlink\none\n");
    });
  }
});

/** Runs the container and the script beside it on a data directory that overlayfs takes no upper directory from. */
async function besideBox(
  app: App,
  sandbox: Sandbox,
  {
    changes = CHANGES,
    flags = "-i",
    script,
  }: { readonly changes?: string; readonly flags?: string; readonly script: string },
): Promise<string> {
  const { directory } = sandbox;
  const bunker = programs[SOURCES].join(" ");
  const run = `${bunker} run ${flags} --name=box ${app.reference} /bin/sh -c "trap exit TERM; ${changes}; echo ready; read end"`;
  const whole = [
    `bunker() { ${bunker} "$@"; }`,
    `mkfifo ${directory}/in; exec 3<>${directory}/in; : > ${directory}/out`,
    `${run} < ${directory}/in > ${directory}/out & engine=$!`,
    `until grep -q ready ${directory}/out; do sleep 0.05; done`,
    script,
    // Without -i nothing reaches it but a signal.
    flags === "-i" ? "echo end >&3" : "kill $engine",
    'wait; ls -A "$BUNKER_ROOT/c"',
  ].join("\n");
  const { stdout, stderr } = await runPiped([...onOverlay(sandbox.root, directory, 1), "sh", "-c", whole], {
    env: app.environment,
    timeoutMs: 30_000,
  });
  expect(stderr).toBe("");
  return stdout;
}

describe("a container whose own layer lies on a tmpfs of its own", () => {
  for (const [what, flags] of [
    ["with its input", "-i"],
    ["with a terminal", "-t"],
  ] as const) {
    kernelTest(`is told, exported and committed as any other: ${what}`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox, { entries: OLD, layers: "directories" });
      const show = "cat /opt/one /opt/dir/* /added/second; readlink /opt/link; ls /opt";
      const script = [
        `bunker diff box | tee ${sandbox.directory}/diff`,
        `bunker export box | tar tf - | grep -E "^(opt/dir/|opt/two|added/)" | sort`,
        `bunker commit box new > /dev/null && bunker run new /bin/sh -c "${show}"`,
      ].join("\n");

      const stdout = await besideBox(app, sandbox, { flags, script });

      const told = stdout.trim().split("\n");
      expect(told.slice(0, DIFF.length).sort()).toEqual([...DIFF].sort());
      expect(told.slice(DIFF.length)).toEqual([
        ...["added/", "added/file", "added/second", "opt/dir/", "opt/dir/new"],
        ...["1more", "new", "x", "two", "dir", "link", "one"],
      ]);
    });
  }

  kernelTest("is refused, with the reason, where its engine cannot be reached", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { entries: OLD, layers: "directories" });
    const bunker = programs[SOURCES].join(" ");
    // Its own /proc, where the engine's process id is nobody's, or another's.
    const elsewhere = `unshare --pid --fork --mount-proc ${bunker}`;
    const verbs = ["diff box", "export box", "commit box new"];
    const script = verbs.map((verb) => `${elsewhere} ${verb} 2>&1 | head -n 1`).join("\n");

    const stdout = await besideBox(app, sandbox, { script });

    const lines = stdout.trim().split("\n");
    expect(lines).toHaveLength(verbs.length);
    for (const line of lines) expect(line).toMatch(/Cannot read the files of container [0-9a-f]{12}/);
    expect(stdout).toContain("what it writes lies on a tmpfs that only the container has");
  });

  kernelTest("shows nobody in the container a way to that layer", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, { layers: "directories" });
    const changes =
      "grep -c tmpfs.*/rw /proc/self/mountinfo > /result; ls -l /proc/1/fd /proc/self/fd > /descriptors 2> /dev/null";
    const script =
      "bunker export box | tar xOf - result; bunker export box | tar xOf - descriptors | grep -c upper";

    const stdout = await besideBox(app, sandbox, { changes, script });

    expect(stdout).toBe("0\n0\n");
  });
});
