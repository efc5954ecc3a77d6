/** Help in docker's layout. */
import { describe, expect, test } from "bun:test";
import { overviewOf, renderHelp, renderOverview } from "../../../src/cli/help_text.ts";
import { runSpec } from "../../../src/cli/run_spec.ts";
import { COMMANDS, pullSpec } from "../../../src/cli/specs.ts";

describe("renderHelp()", () => {
  test("shows usage, options and examples", () => {
    expect(renderHelp(pullSpec, 100)).toMatchInlineSnapshot(`
"Usage:  bunker pull [OPTIONS] NAME[:TAG|@DIGEST]

Download an image from a registry

Options:
  -a, --all-tags          Pull every tag of the repository
  -h, --help              Print usage
      --platform string   Set platform: os/arch[/variant]
  -q, --quiet             Suppress the progress, print the reference only
      --tls-verify        Verify certificates; --tls-verify=false: neither that nor TLS is needed
  -v, --verbose           Say how many pulls the registry still allows

Examples:
  bunker pull alpine                                  Pull alpine:latest from Docker Hub
  bunker pull --platform linux/arm64 debian:12-slim   Pull for another architecture
  bunker pull -q localhost:5000/tools/build:7         Pull from a registry of your own
  bunker pull -a localhost:5000/tools/build           Pull all tags of a repository
"
`);
  });

  test("keeps -h for the host name of run", () => {
    const help = renderHelp(runSpec, 100);

    expect(help).toContain("  -h, --hostname string");
    expect(help).toContain("      --help ");
  });

  test("hides second spellings", () => {
    expect(renderHelp(runSpec, 100)).not.toContain("--net ");
  });

  test.each([60, 80, 120])("keeps within %d columns", (columns) => {
    for (const spec of COMMANDS) {
      const widest = Math.max(
        ...renderHelp({ ...spec, examples: [] }, columns)
          .split("\n")
          .map((line) => line.length),
      );
      expect(widest).toBeLessThanOrEqual(columns);
    }
  });
});

describe("renderOverview()", () => {
  test("lists every command and every global option", () => {
    const overview = renderOverview(overviewOf(COMMANDS), 100);

    for (const { name } of COMMANDS) expect(overview).toContain(`\n  ${name} `);
    for (const option of ["--root dir", "--state dir", "--config file", "-D, --debug"]) {
      expect(overview).toContain(option);
    }
  });
});

describe("COMMANDS", () => {
  test.each(COMMANDS.map((spec) => [spec.name, spec] as const))(
    "%s has options in order, and examples",
    (_, spec) => {
      const names = spec.options.map(({ name }) => name);

      expect(names).toEqual(names.toSorted());
      expect(new Set(names).size).toBe(names.length);
      expect(spec.examples.length).toBeGreaterThan(0);
      expect(names).toContain("help");
    },
  );
});
