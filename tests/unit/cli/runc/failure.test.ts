/** What callers make of the runtime's errors: their own rules, applied to what describeForCaller() says. */
import { describe, expect, test } from "bun:test";
import { CommandLineError } from "../../../../src/cli/command_line_error.ts";
import { UnknownOptionError } from "../../../../src/cli/options.ts";
import { describeForCaller, exitCodeFor } from "../../../../src/cli/runc/failure.ts";
import { unknownCommand } from "../../../../src/cli/runc/unknown_command.ts";
import { RuntimeError } from "../../../../src/engine/bundle/context.ts";
import { ContainerError } from "../../../../src/engine/container_error.ts";

const enoent = new Error('execve("/bin/nope", ["nope"], [/* 3 vars */]): ENOENT');
const eacces = new Error('execve("/etc", ["/etc"], [/* 3 vars */]): EACCES');

const notInPath = new ContainerError(
  'Cannot find the command "nope" in the container\'s $PATH: no such file',
  {
    cause: enoent,
    exitCode: 127,
    hint: "Check the name",
  },
);
const noSuchPath = new ContainerError('Cannot find the command "/bin/nope": no such file', {
  cause: enoent,
  exitCode: 127,
});
const notExecutable = new ContainerError('Cannot execute "/etc": permission denied', {
  cause: eacces,
  exitCode: 126,
});
const missingSource = new ContainerError('Cannot mount "/srv/x" on "/data"', {
  cause: new Error('open_tree(-100, "/srv/x", 0x80001): ENOENT'),
});

/** podman's getOCIRuntimeError(): first permission, then not found, then labels. */
function podmanExitCode(message: string): number {
  if (/.*permission denied.*|.*operation not permitted.*/i.test(message)) return 126;
  if (/.*executable file not found in.*|.*no such file or directory.*|.*open executable.*/i.test(message))
    return 127;
  return 125;
}

/** containerd's shim: what a failed kill means. */
function containerdTakesForGone(message: string): boolean {
  return (
    message.includes("os: process already finished") ||
    message.includes("container not running") ||
    message.toLowerCase().includes("no such process")
  );
}

describe("describeForCaller()", () => {
  test.each([
    ["a command that is not in $PATH", notInPath, 127],
    ["a path that does not exist", noSuchPath, 127],
    ["a directory", notExecutable, 126],
    ["a mount whose source is missing, which is no missing command", missingSource, 125],
    ["a container that does not exist", new RuntimeError("container does not exist"), 125],
  ])("lets podman exit as it should for %s", (_, error, exitCode) => {
    const message = describeForCaller(error);

    expect([message, podmanExitCode(message)]).toEqual([message, exitCode]);
  });

  test.each([
    ["container not running", true],
    ["container does not exist", false],
    ["container paused", false],
  ])("lets containerd read %s as a process that is gone: %p", (text, gone) => {
    expect(containerdTakesForGone(describeForCaller(new RuntimeError(text)))).toBe(gone);
  });

  test("keeps the words that containerd, dockerd and CRI-O look for as they are", () => {
    for (const text of [
      "container with given ID already exists",
      "invalid container ID format",
      "container does not exist",
      "container not paused",
      "cannot delete container web that is not stopped: running",
    ]) {
      expect(describeForCaller(new RuntimeError(text))).toBe(text);
    }
  });

  test("puts message, causes and hint on one line", () => {
    const error = new RuntimeError("cannot start:\n  twice", { cause: eacces, hint: "Look again" });

    expect(describeForCaller(error)).toBe(
      'cannot start: twice: execve("/etc", ["/etc"], [/* 3 vars */]): EACCES (hint: Look again)',
    );
  });

  test("writes control characters harmlessly", () => {
    expect(describeForCaller(new RuntimeError("no \u001b[2J"))).toBe("no \\u{1b}[2J");
  });

  test("is bounded", () => {
    expect(describeForCaller(new RuntimeError("x".repeat(100_000))).length).toBe(8192);
  });

  test("names an unknown option as runc does", () => {
    expect(describeForCaller(new UnknownOptionError("nope", "unknown flag: --nope"))).toBe(
      "flag provided but not defined: -nope",
    );
  });
});

describe("exitCodeFor()", () => {
  test.each([
    ["an error", new RuntimeError("container does not exist"), "state", 1],
    ["a command that was not found in create", notInPath, "create", 1],
    ["an error of exec", new RuntimeError("container does not exist"), "exec", 255],
    ["an unknown option of exec", new CommandLineError("unknown flag"), "exec", 1],
    ["an unknown command", unknownCommand("nope"), "nope", 3],
    ["a mistake of ours", new TypeError("undefined is not a function"), undefined, 1],
  ])("is right for %s", (_, error, command, code) => {
    expect(exitCodeFor(error, command)).toBe(code);
  });
});
