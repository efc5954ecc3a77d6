/** The lesser grades of isolation, in the sandboxes that force them: no pivot_root, no overlay on a disk, no mount at all. */
import { describe, expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { programs } from "../../helpers/bunker.ts";
import { CONFINED_NEEDS, dockerCapabilities, onOverlay, refusing } from "../../helpers/confined.ts";
import { type PipedResult, runPiped } from "../../helpers/pipes.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { App, RUN_NEEDS } from "./app.ts";

const NEEDS: readonly Need[] = [...RUN_NEEDS, ...CONFINED_NEEDS];
const [EPERM, EACCES] = [1, 13];
/** As docker's seccomp profile: always refused. */
const noPivot = refusing({ pivot_root: EPERM, keyctl: EPERM });
/** As docker's AppArmor profile besides. */
const noMounts = refusing({ pivot_root: EPERM, keyctl: EPERM, mount: EACCES, move_mount: EACCES });

/** Prefixes by what they are, with the grade that is left. */
const sandboxes: ReadonlyArray<
  readonly [what: string, grade: string, prefix: (sandbox: Sandbox) => string[]]
> = [
  ["without pivot_root", "nested", () => noPivot],
  ["as in docker with SYS_ADMIN", "nested", () => [...dockerCapabilities, ...noPivot]],
  ["with data on overlayfs", "nested", (sandbox) => onOverlay(sandbox.root, sandbox.directory, 1)],
  ["with data on two overlayfs", "nested", (sandbox) => onOverlay(sandbox.root, sandbox.directory, 2)],
  ["without mount", "minimal", () => noMounts],
  ["as in docker with SYS_ADMIN and AppArmor", "minimal", () => [...dockerCapabilities, ...noMounts]],
];

describe("a container", () => {
  for (const [what, grade, prefix] of sandboxes) {
    kernelTest(
      `${what} runs as process 1 in a root of its own, and says nothing of it`,
      NEEDS,
      async (sandbox) => {
        const app = await App.install(sandbox, { entries: [{ name: "srv/" }] });
        const script = "echo $$; ls -A / | tr '\\n' ' '; echo x > /dev/null && echo made > /srv/made; exit 7";

        const result = await confined(app, prefix(sandbox), [[], ["/bin/sh", "-c", script]]);

        expect(result).toMatchObject({
          exitCode: 7,
          stdout: "1\nbin dev etc home proc root srv sys tmp usr var ",
          stderr: "",
        });
      },
    );

    kernelTest(`${what} sees nothing of the host`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox);
      mkdirSync(`${sandbox.directory}/secret`);
      const up = "../../../../../../..";
      const script = `ls -d ${sandbox.directory} ${up}${sandbox.directory} /proc/1/root${sandbox.directory} 2>/dev/null; pwd; cd ${up}; ls -A | wc -l`;

      const { stdout } = await confined(app, prefix(sandbox), [[], ["/bin/sh", "-c", script]]);

      expect(stdout).toBe("/\n10\n");
    });

    kernelTest(`${what} keeps the command's user, filter and capabilities`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox);
      const script =
        "id -u; id -G; chown 0 /tmp 2>/dev/null || echo refused; unshare -m true 2>/dev/null || echo refused";

      const { stdout } = await confined(app, prefix(sandbox), [
        ["-u", "user"],
        ["/bin/sh", "-c", script],
      ]);

      expect(stdout).toBe("1000\n1000 26 50\nrefused\nrefused\n");
    });

    kernelTest(`${what} is graded ${grade} by info, with a reason`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox);
      const words = [...programs["bun run src/main.ts"], "info", "--format", "json"];

      const { stdout } = await runPiped([...prefix(sandbox), ...words], { env: app.environment });

      const { Isolation } = JSON.parse(stdout) as { readonly Isolation: Readonly<Record<string, unknown>> };
      expect(Isolation["grade"]).toEqual({
        value: grade,
        reason: expect.stringMatching(/^refused here: .*E[A-Z]+/),
      });
    });
  }
});

const mounted = "grep ' / ' /proc/self/mounts";

describe("the root of a container", () => {
  kernelTest("is an overlay with a tmpfs on top where the data is on overlayfs", NEEDS, async (sandbox) => {
    // An image of a layer cannot be mounted there (erofs_layers.test.ts).
    const app = await App.install(sandbox, { layers: "directories" });

    const { stdout } = await confined(app, onOverlay(sandbox.root, sandbox.directory, 1), [
      [],
      ["/bin/sh", "-c", mounted],
    ]);

    // By its kernel "volatile" or "fsync=volatile".
    expect(stdout).toMatch(/^overlay .*[,=]volatile/);
  });

  kernelTest("is a copy where overlays are too deep", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const { stdout } = await confined(app, onOverlay(sandbox.root, sandbox.directory, 2), [
      [],
      ["/bin/sh", "-c", mounted],
    ]);

    expect(stdout).toStartWith("overlay ");
    expect(stdout).not.toContain("lowerdir+=l/");
  });

  kernelTest(
    "is merged from layers that hide and replace each other, in a copy too",
    NEEDS,
    async (sandbox) => {
      const app = await App.install(sandbox, {
        entries: [
          { name: "home/.wh.user" },
          { name: "etc/.wh..wh..opq" },
          { name: "etc/made", data: "m", uid: 7 },
          { name: "tmp", data: "file" },
        ],
      });

      const { stdout } = await confined(app, noMounts, [
        [],
        ["/bin/sh", "-c", "ls -A /home /etc; stat -c %u /etc/made; cat /tmp"],
      ]);

      expect(stdout).toBe("/etc:\nhostname\nhosts\nmade\nresolv.conf\n\n/home:\n7\nfile");
    },
  );
});

describe("an option that needs mount(2) where that is refused", () => {
  for (const flags of [["-v", "/etc:/data"], ["--read-only"], ["--tmpfs", "/tmp"]]) {
    kernelTest(`is an error that says why: ${flags[0]}`, NEEDS, async (sandbox) => {
      const app = await App.install(sandbox);

      const { exitCode, stdout, stderr } = await confined(app, noMounts, [flags, ["/bin/true"]]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(stderr).toMatch(/^bunker: Cannot honour .*\n {2}because: .*\n.*EACCES\nhint: /s);
    });
  }
});

describe("a container without mount", () => {
  kernelTest("has files of /etc of its own, whatever the image has there", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox, {
      entries: [
        { name: "etc/hostname", type: "char", major: 1, minor: 3 },
        { name: "etc/hosts", type: "fifo" },
        { name: "etc/resolv.conf", type: "symlink", link: "/etc/passwd" },
      ],
    });
    const script = "cat /etc/hostname /etc/resolv.conf; grep -c box /etc/hosts; head -c 4 /etc/passwd";

    const { stdout } = await confined(app, noMounts, [
      ["--hostname", "box"],
      ["/bin/sh", "-c", script],
    ]);

    expect(stdout).toBe(`box\n${readFileSync("/etc/resolv.conf", "utf8")}1\nroot`);
  });

  kernelTest(
    "is refused when its /dev is a link, and makes nothing where that leads",
    NEEDS,
    async (sandbox) => {
      const outside = `${sandbox.directory}/outside`;
      mkdirSync(outside);
      const app = await App.install(sandbox, {
        entries: [{ name: ".wh.dev" }, { name: "dev", type: "symlink", link: outside }],
      });

      const { exitCode, stdout } = await confined(app, noMounts, [[], ["/bin/ls", "/dev/"]]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(readdirSync(outside)).toEqual([]);
    },
  );

  kernelTest("has devices of its own and none of the image's", NEEDS, async (sandbox) => {
    const entries: readonly TarEntry[] = [
      { name: "srv/" },
      { name: "srv/disk", type: "block", major: 254, minor: 0, mode: 0o666 },
      { name: "srv/mem", type: "char", major: 1, minor: 1, mode: 0o666 },
      { name: "srv/pipe", type: "fifo" },
    ];
    const app = await App.install(sandbox, { entries });

    const { stdout } = await confined(app, noMounts, [
      [],
      ["/bin/sh", "-c", "ls /srv; cd /dev; stat -c '%n %t:%T' *"],
    ]);

    expect(stdout).toBe("pipe\nfull 1:7\nnull 1:3\nrandom 1:8\ntty 5:0\nurandom 1:9\nzero 1:5\n");
  });
});

describe("exit codes of the minimal grade", () => {
  kernelTest("are those of the others", NEEDS, async (sandbox) => {
    const app = await App.install(sandbox);

    const missing = await confined(app, noMounts, [[], ["/bin/missing"]]);
    const directory = await confined(app, noMounts, [[], ["/etc"]]);

    expect([missing.exitCode, directory.exitCode]).toEqual([127, 126]);
  });
});

describe("a machine that forbids to execute memory", () => {
  const needs: readonly Need[] = [...NEEDS, "memfd_noexec"];

  kernelTest("has containers all the same, and leaves no program behind", needs, async (sandbox) => {
    const app = await App.install(sandbox);
    const forbid = 'echo 2 > /proc/sys/vm/memfd_noexec && exec "$@"';
    const prefix = ["unshare", "--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", forbid, "sh"];

    const run = await confined(app, prefix, [[], ["/bin/sh", "-c", "echo $$"]]);
    const info = await runPiped([...prefix, ...programs["bun run src/main.ts"], "info"], {
      env: app.environment,
    });

    expect(run).toMatchObject({ exitCode: 0, stdout: "1\n", stderr: "" });
    expect(info.stdout).toContain(" grade: full\n");
    expect(info.stdout).toContain(" container program: file in the state directory (");
    expect(readdirSync(sandbox.state)).toEqual([]);
  });
});

/** Runs the image in a sandbox. */
function confined(
  app: App,
  prefix: readonly string[],
  [flags, command]: readonly [readonly string[], readonly string[]],
): Promise<PipedResult> {
  return runPiped([...prefix, ...programs["bun run src/main.ts"], ...app.words(flags, command)], {
    env: app.environment,
  });
}
