import { describe, expect, test } from "bun:test";
import { starterConfig } from "../../../../src/engine/bundle/starter_config.ts";

interface Config {
  readonly process: { readonly noNewPrivileges: boolean; readonly capabilities: Record<string, string[]> };
  readonly mounts: ReadonlyArray<{ readonly destination: string; readonly options: readonly string[] }>;
  readonly linux: {
    readonly namespaces: ReadonlyArray<{ readonly type: string }>;
    readonly uidMappings?: readonly unknown[];
    readonly maskedPaths: readonly string[];
  };
}

describe("starterConfig()", () => {
  test("lets a command gain nothing", () => {
    const { process } = starterConfig(undefined) as Config;

    expect(process.noNewPrivileges).toBe(true);
    expect(process.capabilities["inheritable"]).toBeUndefined();
    expect(process.capabilities["ambient"]).toBeUndefined();
  });

  test("gives every namespace but the user's to a container of root", () => {
    const { linux } = starterConfig(undefined) as Config;

    expect(linux.namespaces.map(({ type }) => type).toSorted()).toEqual([
      "cgroup",
      "ipc",
      "mount",
      "network",
      "pid",
      "uts",
    ]);
    expect(linux.uidMappings).toBeUndefined();
  });

  test("maps an ordinary user, and no group that is not mapped", () => {
    const { linux, mounts } = starterConfig({ uid: 1000, gid: 100 }) as Config;

    expect(linux.namespaces.map(({ type }) => type)).toContain("user");
    expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }]);
    expect(mounts.flatMap(({ options }) => options)).not.toContain("gid=5");
  });
});
