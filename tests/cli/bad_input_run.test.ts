/** Command lines, commands and settings that cannot be honoured: one message, docker's exit codes, and nothing left. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { BUSYBOX } from "../helpers/alpine_image.ts";
import { buildImage, hostPlatform } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, refusalOf } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { baseLayer } from "../kernel/run/app.ts";

const config = { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] };
const entries: readonly TarEntry[] = [
  { name: "bin/plain", data: "#!/bin/sh\n", mode: 0o644 },
  { name: "bin/text", data: "no program\n", mode: 0o755 },
];
const app = buildImage({ layers: [baseLayer(), { entries }], config });
const images = { "app:latest": app };

describe("bunker run of a command that cannot be run", () => {
  const cases: ReadonlyArray<readonly [string, string, number, RegExp]> = [
    [
      "a name that is not in $PATH",
      "missing",
      127,
      /^Cannot find the command "missing" in the container's \$PATH/,
    ],
    [
      "a path that is missing",
      "/bin/missing",
      127,
      /^Cannot find the command "\/bin\/missing": no such file$/,
    ],
    [
      "a file without the permission",
      "/bin/plain",
      126,
      /^Cannot execute "\/bin\/plain": permission denied$/,
    ],
    ["a directory", "/etc", 126, /^Cannot execute "\/etc": permission denied$/],
    ["a file that is no program", "/bin/text", 126, /^Cannot execute "\/bin\/text": exec format error$/],
  ];
  for (const [what, command, exitCode, message] of cases) {
    kernelTest(`ends with ${exitCode} for ${what}`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull();
      const before = place.content();

      const refusal = await place.refusal(["run", place.name(), command]);

      expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode, stdout: "" });
      expect(refusal.message).toMatch(message);
      expect(refusal.hints).toHaveLength(1);
      expect(place.content()).toEqual(before);
    });
  }

  kernelTest("says so for a program of another processor", PULL_NEEDS, async (sandbox) => {
    const other = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";
    const image = buildImage({
      layers: [baseLayer(), { entries: [{ name: "bin/busybox", data: foreignProgram(), mode: 0o755 }] }],
      platform: { os: "linux", architecture: other },
      config,
    });
    await using place = new PullPlace(sandbox, { "app:latest": image });

    const refusal = await place.refusal([
      "run",
      "-q",
      "--platform",
      `linux/${other}`,
      place.name(),
      "/bin/true",
    ]);

    expect(refusal.exitCode).toBe(126);
    expect(refusal.message).toBe('Cannot execute "/bin/true": exec format error');
    expect(refusal.hints).toEqual([
      `The image is for linux/${other}, this machine is linux/${hostPlatform().architecture}: choose another --platform`,
    ]);
  });

  kernelTest("shows no value of the environment", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    const file = `${sandbox.directory}/env`;
    writeFileSync(file, "TOKEN=hunter2\n");

    const flags = ["-e", "PASSWORD=hunter2", "--env-file", file];
    const results = [
      await place.bunker(["run", ...flags, place.name(), "missing"]),
      await place.bunker(["run", ...flags, place.name(), "/etc"]),
    ];

    expect(results.map(({ exitCode }) => exitCode)).toEqual([127, 126]);
    for (const { stderr } of results) expect(stderr).not.toContain("hunter2");
  });
});

describe("bunker run with options that cannot be honoured", () => {
  const cases: ReadonlyArray<readonly [string, readonly string[], RegExp]> = [
    ["a user that the image does not have", ["-u", "nobody-here"], /^Cannot run as user "nobody-here"/],
    ["a group that the image does not have", ["-u", "0:no-group"], /^Cannot run as user "0:no-group"/],
    ["an env file that is missing", ["--env-file", "/missing/env"], /"\/missing\/env"/],
    ["an env file that is a directory", ["--env-file", "/etc"], /"\/etc"/],
    ["an env file with a name that has a space", ["--env-file", "{bad env}"], /env/],
    [
      "a volume whose source is missing",
      ["--mount", "type=bind,src=/missing/dir,dst=/mnt"],
      /"\/missing\/dir"|Cannot/,
    ],
    ["an amount of memory that is none", ["--memory", "much"], /"much"/],
  ];
  for (const [what, flags, message] of cases) {
    kernelTest(`refuses ${what}`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull();
      const before = place.content();
      const badEnv = `${sandbox.directory}/env`;
      writeFileSync(badEnv, "TWO WORDS=hunter2\n");

      const words = flags.map((word) => (word === "{bad env}" ? badEnv : word));
      const refusal = await place.refusal(["run", ...words, place.name(), "true"]);

      expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(refusal.message).toMatch(message);
      expect(JSON.stringify(refusal)).not.toContain("hunter2");
      expect(place.content()).toEqual(before);
    });
  }
});

describe("a command line", () => {
  kernelTest("with an unknown option is refused with a suggestion", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const run = await place.refusal(["run", "--hostnam", "x", place.name()]);
    const pull = await place.refusal(["pull", "--platfrom", "linux/arm64", place.name()]);
    const far = await place.refusal(["run", "--xyzzy", place.name()]);

    expect([run.exitCode, pull.exitCode, far.exitCode]).toEqual([125, 125, 125]);
    expect(run).toMatchObject({ message: "unknown flag: --hostnam", hints: ["Did you mean --hostname?"] });
    expect(pull).toMatchObject({ message: "unknown flag: --platfrom", hints: ["Did you mean --platform?"] });
    expect(far.hints).toEqual([]);
    expect(place.registry.requests).toEqual([]);
  });

  kernelTest("leaves options after IMAGE to the command", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();

    const words = ["--hostnam", "-x", "--", "--rm", "-u", "nobody-here"];
    const { exitCode, stdout } = await place.bunker(["run", place.name(), "echo", ...words]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${words.join(" ")}\n` });
  });

  kernelTest("without IMAGE, or with too many words, ends with 1", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const results = [
      await place.refusal(["run"]),
      await place.refusal(["run", "--rm"]),
      await place.refusal(["pull"]),
      await place.refusal(["pull", "one", "two"]),
      await place.refusal(["info", "more"]),
    ];

    expect(results.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1, 1, 1]);
    expect(results[0]?.message).toBe('"bunker run" requires at least 1 argument');
    expect(results[3]?.message).toBe('"bunker pull" requires 1 argument');
  });

  kernelTest("with an unknown command names the one that was meant", PULL_NEEDS, async (sandbox) => {
    const refusal = refusalOf(await sandbox.bunker(["pul", "alpine"]));

    expect(refusal).toMatchObject({ exitCode: 1, message: 'unknown command: "bunker pul"' });
    expect(refusal.hints).toEqual(['Did you mean "bunker pull"?']);
  });
});

describe("a reference", () => {
  const malformed: ReadonlyArray<readonly [string, RegExp]> = [
    ["", /the repository is missing$/],
    ["..", /"\.\." is not a valid part of a repository$/],
    ["a:b:c", /the tag "b:c"/],
    ["a//b", /not a valid part/],
    ["127.0.0.1:99999/a", /the port is not 1 to 65535$/],
    ["a@sha256:12", /64 lower-case hex digits/],
    ["a@md5:00000000000000000000000000000000", /sha256/],
    ["a\u001b[31m", /a\\u/],
    [`a:${"t".repeat(200)}`, /the tag/],
    [`${"long/".repeat(200)}a`, /repository|long/],
  ];
  kernelTest("that is malformed is refused before anyone is asked", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    for (const [reference, message] of malformed) {
      for (const command of ["pull", "run"]) {
        const refusal = await place.refusal([command, reference]);

        expect({ reference, exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({
          reference,
          exitCode: 125,
          stdout: "",
        });
        expect(refusal.message).toStartWith("Cannot parse image reference ");
        expect(refusal.message).toMatch(message);
      }
    }
    expect(place.registry.requests).toEqual([]);
    expect(place.content()).toEqual({});
  });
});

describe("a configuration", () => {
  const cases: ReadonlyArray<readonly [string, string | undefined, RegExp]> = [
    ["that is no JSON", "{nope", /JSON/],
    ["that is a list", "[]", /expected an object/],
    ["with an unknown key", '{"registeries":{}}', /"registeries"/],
    ["with an unknown key of a registry", '{"registries":{"docker.io":{"mirror":[]}}}', /"mirror"/],
    ["with a mirror that is no address", '{"registries":{"docker.io":{"mirrors":["::"]}}}', /mirror|"::"/],
    ["that is missing", undefined, /there is no such file/],
  ];
  for (const [what, text, message] of cases) {
    kernelTest(`${what} is refused and named`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const path = `${sandbox.directory}/other.json`;
      if (text !== undefined) writeFileSync(path, text);

      const refusal = await place.refusal(["pull", "-q", place.name()], { env: { BUNKER_CONFIG: path } });

      expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(refusal.message).toContain(`"${path}"`);
      expect([refusal.message, ...refusal.because].join("\n")).toMatch(message);
      expect(place.registry.requests).toEqual([]);
      expect(place.content()).toEqual({});
    });
  }
});

describe("a data root", () => {
  const commands: ReadonlyArray<readonly string[]> = [["pull", "-q"], ["run", "-q"], ["images"]];
  kernelTest("that is a file, or below one, is refused and named", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const file = `${sandbox.directory}/file`;
    writeFileSync(file, "mine");

    for (const root of [file, `${file}/below`]) {
      for (const command of commands) {
        const words = command[0] === "images" ? command : [...command, place.name()];
        const refusal = await place.refusal(words, { root });

        expect({ command, exitCode: refusal.exitCode }).toEqual({ command, exitCode: 125 });
        expect([refusal.message, ...refusal.because].join("\n")).toContain(root);
        expect(refusal.message).toStartWith("Cannot ");
      }
    }
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  kernelTest("that cannot be written is refused and named", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const disk = `${sandbox.directory}/disk`;
    mkdirSync(disk);
    await Bun.$`mount -t tmpfs -o ro bunker-test ${disk}`;
    try {
      const refusal = await place.refusal(["pull", "-q", place.name()], { root: `${disk}/root` });

      expect(refusal.exitCode).toBe(125);
      expect([refusal.message, ...refusal.because].join("\n")).toMatch(/EROFS.*disk\/root/);
    } finally {
      await Bun.$`umount ${disk}`;
    }
  });
});

/** busybox for a processor that does not exist, so that no emulator of this machine takes it. */
function foreignProgram(): Buffer {
  const E_MACHINE_OFFSET = 18;
  const program = readFileSync(BUSYBOX ?? "busybox-static is not installed");
  program.writeUInt16LE(0xfeed, E_MACHINE_OFFSET);
  return program;
}
