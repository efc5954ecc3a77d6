/** Where a user keeps things, by the variables that say so. */
import { afterEach, describe, expect, test } from "bun:test";
import { homedir } from "node:os";
import { dataRoot } from "../../../src/engine/directories.ts";
import { homeDirectory, userDirectory } from "../../../src/engine/home.ts";

const NAMES = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "BUNKER_ROOT"] as const;
const before = NAMES.map((name) => [name, process.env[name]] as const);

/** Sets variables; those that are not named are unset. */
function given(values: Partial<Record<(typeof NAMES)[number], string>>): void {
  for (const name of NAMES) {
    const value = values[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

afterEach(() => given(Object.fromEntries(before.filter(([, value]) => value !== undefined))));

describe("homeDirectory()", () => {
  test.each([
    ["/home/me", "/home/me"],
    ["/home/me/", "/home/me"],
    ["/", ""],
  ])("is what HOME says: %j", (value, home) => {
    given({ HOME: value });

    expect(homeDirectory()).toBe(home);
  });

  test("is the account's where HOME is empty or missing", () => {
    given({});
    const account = homedir();
    const unset = homeDirectory();
    given({ HOME: "" });

    expect([unset, homeDirectory()]).toEqual([account, account]);
  });
});

describe("userDirectory()", () => {
  test("takes an empty variable for one that is not set", () => {
    given({ HOME: "/home/me", XDG_CONFIG_HOME: "", XDG_DATA_HOME: "/data" });

    expect(userDirectory("XDG_CONFIG_HOME", ".config")).toBe("/home/me/.config");
    expect(userDirectory("XDG_DATA_HOME", ".local/share")).toBe("/data");
  });
});

describe("dataRoot()", () => {
  test("is what was given, without a slash at the end", () => {
    expect(dataRoot({ debug: false, root: "/srv/data//" })).toBe("/srv/data");
  });
});
