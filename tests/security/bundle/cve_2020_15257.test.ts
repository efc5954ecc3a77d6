/**
 * CVE-2020-15257: a socket without a file could be reached from a container on the host's network. CVE-2021-41091,
 * CVE-2024-25621: others could go through the directories of the runtime.
 */
import { describe, expect } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { attackTest } from "../../helpers/attack.ts";

const OTHERS = 0o007;
const OTHERS_PASS = 0o001;

/** Sockets whose name begins with "@", as every process on the network of the host sees them. */
const abstractSockets = (): readonly string[] =>
  readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .map((line) => line.split(" ").at(-1) ?? "")
    .filter((name) => name.startsWith("@"))
    .sort();

describe("a container that runs", () => {
  attackTest("has no socket without a file", async ({ runtime }) => {
    const before = abstractSockets();
    const container = await runtime.start({ sh: "exec sleep 60" });
    await container.sh("true");

    expect(abstractSockets().filter((name) => !before.includes(name))).toEqual([]);
  });

  attackTest("has a state that others can neither list, read nor write", async ({ runtime, sandbox }) => {
    const created = await runtime.create({ sh: "exec sleep 60" });
    const started = await runtime.start({ sh: "exec sleep 60" });

    for (const { id } of [created, started]) {
      const directory = `${sandbox.state}/${id}`;
      const names = readdirSync(directory);
      const open = names.filter((name) => (lstatSync(`${directory}/${name}`).mode & OTHERS) !== 0);
      expect(names.length).toBeGreaterThan(2);
      expect(open).toEqual([]);
      // Processes with ids of their own have files below it.
      expect(lstatSync(directory).mode & OTHERS & ~OTHERS_PASS).toBe(0);
    }
  });
});
