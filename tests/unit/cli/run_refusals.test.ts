/** Docker's options that bunker lacks are told apart from typing errors. */
import { describe, expect, test } from "bun:test";
import { UnknownOptionError } from "../../../src/cli/options.ts";
import { explainUnknownRunOption } from "../../../src/cli/run_refusals.ts";

describe("explainUnknownRunOption()", () => {
  test.each([
    ["d", "-d is not supported yet: bunker runs containers in the foreground"],
    ["detach", "--detach is not supported yet: bunker runs containers in the foreground"],
    [
      "p",
      "-p is not supported yet: the container shares the host's network, so that its ports are open already",
    ],
    ["memory-swap", /^--memory-swap is not supported yet: --memory, --cpus/],
  ])("gives the reason for %s", (option, message) => {
    const error = explainUnknownRunOption(new UnknownOptionError(option, "unknown"));

    expect(error.message).toMatch(message);
    expect(error.exitCode).toBe(125);
  });

  test.each(["netwrok", "x", "constructor"])("leaves the unknown option %s as it is", (option) => {
    const unknown = new UnknownOptionError(option, "unknown");

    expect(explainUnknownRunOption(unknown)).toBe(unknown);
  });
});
