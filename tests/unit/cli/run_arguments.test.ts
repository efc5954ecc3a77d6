/** From words to what the engine is asked for, as a whole. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandLineError } from "../../../src/cli/command_line_error.ts";
import { parseOptions } from "../../../src/cli/options.ts";
import { readRunOptions } from "../../../src/cli/run_arguments.ts";
import { runSpec } from "../../../src/cli/run_spec.ts";
import { defaultRunOptions, type RunOptions } from "../../../src/engine/options/run_options.ts";

describe("readRunOptions()", () => {
  test("gives the engine's defaults when there are no options", async () => {
    expect(await read(["alpine", "echo", "hey"])).toEqual({
      ...defaultRunOptions,
      image: "alpine",
      command: ["echo", "hey"],
    });
  });

  test("keeps the engine's defaults of the values that were not given", async () => {
    expect(await read(["--name", "web", "alpine"])).toEqual({
      ...defaultRunOptions,
      image: "alpine",
      command: [],
      name: "web",
    });
  });

  test("leaves options behind the image to the command", async () => {
    const options = await read(["-i", "alpine", "sh", "-i", "-t", "--name", "x"]);

    expect(options.command).toEqual(["sh", "-i", "-t", "--name", "x"]);
    expect(options).toMatchObject({ interactive: true, tty: false, name: undefined });
  });

  test("takes -h for the host name", async () => {
    expect((await read(["-h", "box", "alpine"])).hostname).toBe("box");
  });

  test.each([
    [["--entrypoint", ""], []],
    [["--entrypoint", "/bin/sh -c"], ["/bin/sh -c"]],
    [[], undefined],
  ])("reads the entry point of %j as %j", async (words, expected) => {
    expect((await read([...words, "alpine"])).entrypoint).toEqual(expected);
  });

  test("puts the entries of files before those of -e", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bunker-test-"));
    const file = join(directory, "env");
    writeFileSync(file, "A=file\nB=file\n");

    const { env } = await read(["-e", "A=option", "--env-file", file, "alpine"]).finally(() =>
      rmSync(directory, { recursive: true }),
    );

    expect(env).toEqual(["A=file", "B=file", "A=option"]);
  });

  test("gathers the mounts of all three options", async () => {
    const words = ["--tmpfs", "/run", "-v", "/a:/b:ro", "--mount", "type=bind,src=/c,dst=/d", "alpine"];

    const { mounts } = await read(words);

    expect(mounts.map(({ type, containerPath, readonly }) => [type, containerPath, readonly])).toEqual([
      ["bind", "/b", true],
      ["bind", "/d", false],
      ["tmpfs", "/run", false],
    ]);
  });

  test("refuses two mounts at one place", async () => {
    const error = await refusal(["-v", "/a:/data", "--tmpfs", "/data/", "alpine"]);

    expect(error.message).toBe("Duplicate mount point: /data");
  });

  test("lets the last of contradicting security options win", async () => {
    const words = ["--security-opt", "no-new-privileges=false", "--security-opt", "seccomp=unconfined"];

    expect(await read([...words, "alpine"])).toMatchObject({
      noNewPrivileges: false,
      seccomp: "unconfined",
      unmaskedPaths: false,
    });
  });

  test("reads limits in base units", async () => {
    const words = ["-m", "512m", "--cpus", "1.5", "--pids-limit", "0", "--ulimit", "nofile=10:20", "alpine"];

    expect(await read(words)).toMatchObject({
      memoryBytes: 512 * 1024 * 1024,
      cpus: 1.5,
      pidsLimit: -1,
      ulimits: [{ name: "nofile", soft: 10, hard: 20 }],
    });
  });

  test("names the option and the reason when a value is wrong", async () => {
    const error = await refusal(["-m", "1x", "alpine"]);

    expect(error.message).toBe('invalid argument "1x" for --memory');
    expect(error.cause).toBeInstanceOf(SyntaxError);
    expect(error.exitCode).toBe(125);
  });

  test("never repeats the value of a wrong -e", async () => {
    const error = await refusal(["-e", "=secret", "alpine"]);

    expect(`${error.message}${(error.cause as Error).message}`).not.toContain("secret");
  });

  test("refuses --rm=false, since nothing would be kept", async () => {
    expect((await refusal(["--rm=false", "alpine"])).message).toContain("--rm=false is not supported yet");
    expect((await read(["--rm", "alpine"])).image).toBe("alpine");
  });

  test.each(["bridge", "container:web", ""])("refuses the network %j", async (network) => {
    expect((await refusal(["--net", network, "alpine"])).message).toContain("for --network");
  });
});

async function read(words: readonly string[]): Promise<RunOptions> {
  return await readRunOptions(parseOptions(words, runSpec));
}

async function refusal(words: readonly string[]): Promise<CommandLineError> {
  const error: unknown = await read(words).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof CommandLineError) return error;
  throw new Error(`expected a refusal, got ${String(error)}`);
}
