/** bunker as an ordinary user, with ranges of subordinate ids and with none: the compiled executable, from pull to clean-up. */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { CONFINED_NEEDS, onOverlay, refusing } from "../helpers/confined.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { type PipedResult, runPiped } from "../helpers/pipes.ts";
import { type Need, testIf, whyMissing } from "../helpers/requires.ts";
import { baseLayer } from "../kernel/run/app.ts";

const NEEDS: readonly Need[] = [
  "root",
  "user namespaces",
  "overlayfs",
  "program busybox",
  "program newuidmap",
  "program useradd",
  "program setpriv",
];
const reason = whyMissing(NEEDS);

/** Ids far from those that Debian gives out. */
const RANGE = { start: 1_400_000_000, size: 65_536 };
const UID_WITHOUT_ACCOUNT = 1_399_999_000;
const USER = `bunker-test-${process.pid}`;
const BUILD_MS_MAX = 60_000;

let place: Place;

beforeAll(async () => {
  if (reason === undefined) place = await Place.create();
}, BUILD_MS_MAX);
afterAll(async () => {
  if (reason === undefined) await place.remove();
});

describe("bunker pull as an ordinary user with id ranges", () => {
  testIf(NEEDS, "keeps the owners of files", async () => {
    const user = place.ranged;

    const { exitCode, stdout, stderr } = await user.bunker(["pull", "-q", place.reference]);

    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${place.reference}:latest\n`,
      stderr: "",
    });
    const owner = (path: string) => statSync(`${user.layer("srv/owned")}/srv/${path}`).uid;
    expect([owner("owned"), owner("roots")]).toEqual([RANGE.start + 999, user.uid]);
  });

  testIf(NEEDS, "says that an image is up to date", async () => {
    const user = place.ranged;
    await user.bunker(["pull", "-q", place.reference]);

    const { stderr } = await user.bunker(["pull", place.reference]);

    expect(stderr).toEndWith(`Status: Image is up to date for ${place.reference}:latest\n`);
  });

  testIf(NEEDS, "reports a failure once, with the second process's exit code", async () => {
    const { exitCode, stdout, stderr } = await place.ranged.bunker(["pull", "-q", `${place.host}/missing`]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr.match(/^bunker: /gm)).toHaveLength(1);
    expect(stderr).toContain("missing");
  });
});

describe("bunker pull as an ordinary user with a single id", () => {
  testIf(NEEDS, "gives all files to that user and says so in one line", async () => {
    await using user = place.single();

    const { exitCode, stderr } = await user.bunker(["pull", place.reference]);

    expect(exitCode).toBe(0);
    const notes = stderr.split("\n").filter((line) => line.startsWith("bunker: "));
    expect(notes).toEqual([
      "bunker: 3 files of other users belong to you in this image: you have one id only, " +
        "see /etc/subuid, /etc/subgid and newuidmap(1)",
    ]);
    expect(statSync(`${user.layer("srv/owned")}/srv/owned`).uid).toBe(user.uid);
  });

  testIf(NEEDS, "says nothing of it when quiet", async () => {
    await using user = place.single();

    const { stderr } = await user.bunker(["pull", "-q", place.reference]);

    expect(stderr).toBe("");
  });
});

describe("bunker run as an ordinary user", () => {
  testIf(NEEDS, "pulls an image and runs a command in it, as root of its own", async () => {
    await using user = place.single();

    const { exitCode, stdout } = await user.bunker(["run", "-q", place.reference, "id", "-un"]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "root\n" });
  });

  testIf(NEEDS, "maps the ranges behind the own id", async () => {
    const { stdout } = await place.ranged.run([], "cat /proc/self/uid_map");

    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/ +/).map(Number));
    expect(lines).toEqual([
      [0, place.ranged.uid, 1],
      [1, RANGE.start, RANGE.size],
    ]);
  });

  testIf(NEEDS, "runs as a user of the image whose files are its own", async () => {
    const { stdout } = await place.ranged.run(
      ["-u", "user"],
      "id -u; cat /srv/secret; echo more >> /srv/secret",
    );

    expect(stdout).toBe("1000\nsecret\n");
  });

  testIf(NEEDS, "refuses another user where one id is all there is", async () => {
    await using user = place.single();

    const { exitCode, stderr } = await user.run(["-u", "1000"], "id -u");

    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^bunker: Cannot /);
  });

  testIf(NEEDS, "removes what users of the image have written", async () => {
    const user = place.ranged;

    const script = "mkdir -p /tmp/a/b && touch /tmp/a/b/c && chown -R 1000:1000 /tmp/a && chmod 0 /tmp/a/b";
    const { exitCode, stderr } = await user.run([], script);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(readdirSync(`${user.root}/c`)).toEqual([]);
  });

  testIf(NEEDS, "removes what a killed run has left, in the next run", async () => {
    const user = place.ranged;
    await user.bunker(["pull", "-q", place.reference]);
    const script =
      "mkdir /tmp/a && touch /tmp/a/b && chown -R 1000 /tmp/a && chmod 700 /tmp/a && echo ready && sleep 60";
    const child = Bun.spawn([...user.prefix, "run", place.reference, "sh", "-c", script], {
      stdout: "pipe",
      stderr: "inherit",
    });
    await child.stdout.getReader().read();
    child.kill("SIGKILL");
    await child.exited;
    expect(readdirSync(`${user.root}/c`)).toHaveLength(1);

    const { exitCode } = await user.run([], "true");

    expect(exitCode).toBe(0);
    expect(readdirSync(`${user.root}/c`)).toEqual([]);
  });

  testIf(NEEDS, "cannot write what belongs to root", async () => {
    const { exitCode, stderr } = await place.ranged.run(["-v", "/etc:/mnt"], "touch /mnt/bunker-was-here");

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("Permission denied");
    expect(existsSync("/etc/bunker-was-here")).toBeFalse();
  });

  testIf(NEEDS, "makes files in a volume that belong to the caller", async () => {
    const user = place.ranged;
    const directory = user.directory("volume");

    await user.run(["-v", `${directory}:/mnt`], "touch /mnt/made");

    expect(statSync(`${directory}/made`).uid).toBe(user.uid);
  });

  testIf(NEEDS, "refuses a limit that it cannot set", async () => {
    const { exitCode, stderr } = await place.ranged.run(["--memory", "64m"], "true");

    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^bunker: Cannot set the limits memory/);
  });

  testIf(NEEDS, "passes the exit code on", async () => {
    const { exitCode } = await place.ranged.run([], "exit 42");

    expect(exitCode).toBe(42);
  });
});

describe("bunker run as an ordinary user without overlayfs or mounts", () => {
  const sandboxes = [
    ["overlays too deep", (user: User) => onOverlay(user.root, place.scratch(), 2)],
    ["every mount refused", () => refusing({ pivot_root: 1, mount: 13, move_mount: 13 })],
  ] as const;
  for (const [what, prefixOf] of sandboxes) {
    testIf([...NEEDS, ...CONFINED_NEEDS], `copies the layers with their owners: ${what}`, async () => {
      const user = place.ranged;
      await user.bunker(["pull", "-q", place.reference]);
      const script = "echo $$; stat -c %u /srv/owned /srv/roots; echo x > /dev/null; chown 1000 /srv/roots";

      const { exitCode, stdout, stderr } = await runPiped([
        ...prefixOf(user),
        ...user.prefix,
        ...["run", place.reference, "sh", "-c", script],
      ]);

      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "1\n1000\n0\n", stderr: "" });
      expect(readdirSync(`${user.root}/c`)).toEqual([]);
    });
  }
});

describe("bunker info as an ordinary user", () => {
  testIf(NEEDS, "shows the ids that containers have, and leaves nothing behind", async () => {
    const user = place.ranged;
    const before = readdirSync(user.home);

    const { exitCode, stdout } = await user.bunker(["info", "--format", "json"]);

    expect(exitCode).toBe(0);
    const known = JSON.parse(stdout) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    expect(known["Isolation"]).toMatchObject({ grade: "full" });
    expect(known["Users"]).toEqual({
      mode: "rootless",
      "user ids": [`0:${user.uid}:1`, `1:${RANGE.start}:${RANGE.size}`],
      "group ids": [`0:${user.uid}:1`, `1:${RANGE.start}:${RANGE.size}`],
    });
    expect(readdirSync(user.home)).toEqual(before);
  });
});

/** An ordinary user with a home of its own, where bunker keeps its data. */
class User implements AsyncDisposable {
  readonly uid: number;
  readonly home: string;
  readonly prefix: readonly string[];

  constructor(uid: number, home: string) {
    this.uid = uid;
    this.home = home;
    mkdirSync(home, { mode: 0o755 });
    chownSync(home, uid, uid);
    this.prefix = [
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
      ...["env", "-i", "PATH=/usr/bin:/bin", `HOME=${home}`, place?.executable ?? `${home}/../bunker`],
    ];
  }

  get root(): string {
    return `${this.home}/.local/share/bunker`;
  }

  bunker(args: readonly string[]): Promise<PipedResult> {
    return runPiped([...this.prefix, ...args]);
  }

  /** Runs a script in the image. */
  run(flags: readonly string[], script: string): Promise<PipedResult> {
    return this.bunker(["run", "-q", ...flags, place.reference, "sh", "-c", script]);
  }

  /** The unpacked layer that holds `path`. */
  layer(path: string): string {
    const name = readdirSync(`${this.root}/l`).find((layer) => existsSync(`${this.root}/l/${layer}/${path}`));
    return `${this.root}/l/${name}`;
  }

  /** Makes a directory in the home. */
  directory(name: string): string {
    const path = `${this.home}/${name}`;
    mkdirSync(path);
    chownSync(path, this.uid, this.uid);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    removeTree({ dirfd: AT_FDCWD, path: this.home });
  }
}

/** The executable, a registry, and an account with ranges: for all tests of this file. */
class Place {
  readonly #directory: string;
  readonly #registry: FakeRegistry;
  readonly executable: string;
  readonly ranged: User;
  #count = 0;

  private constructor(directory: string, registry: FakeRegistry) {
    this.#directory = directory;
    this.#registry = registry;
    this.executable = `${directory}/bunker`;
    const uid = addAccount(`${directory}/ranged`);
    this.ranged = new User(uid, `${directory}/ranged`);
  }

  static async create(): Promise<Place> {
    const directory = mkdtempSync(`${tmpdir()}/bunker-rootless-`);
    chmodSync(directory, 0o755);
    checked([process.execPath, "run", "scripts/build.ts", `--outfile=${directory}/bunker`]);
    const owned = { uid: 1000, gid: 1000 };
    const entries = [
      { name: "srv/" },
      { name: "srv/roots", data: "r" },
      { name: "srv/owned", data: "o", ...owned },
      { name: "srv/secret", data: "secret\n", mode: 0o600, ...owned },
    ];
    const image = buildImage({
      layers: [baseLayer(), { entries }],
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
    });
    return new Place(directory, serveRegistry({ images: { "app:latest": image } }));
  }

  get host(): string {
    return this.#registry.host;
  }

  get reference(): string {
    return `${this.host}/app`;
  }

  /** A new user without account and ranges. */
  single(): User {
    this.#count += 1;
    return new User(UID_WITHOUT_ACCOUNT + this.#count, `${this.#directory}/single-${this.#count}`);
  }

  /** A new directory that goes with the place. */
  scratch(): string {
    return mkdtempSync(`${this.#directory}/scratch-`);
  }

  async remove(): Promise<void> {
    await this.#registry[Symbol.asyncDispose]();
    checked(["userdel", USER]);
    removeTree({ dirfd: AT_FDCWD, path: this.#directory });
  }
}

/** Makes the account with its ranges. @returns its uid, which is its gid too */
function addAccount(home: string): number {
  checked([
    "useradd",
    "--no-create-home",
    "--user-group",
    "-K",
    "SUB_UID_COUNT=0",
    "-K",
    "SUB_GID_COUNT=0",
    "-d",
    home,
    USER,
  ]);
  const range = `${RANGE.start}-${RANGE.start + RANGE.size - 1}`;
  // Where useradd gives ranges out although none is wanted, they go.
  for (const [kind, path] of [
    ["uids", "/etc/subuid"],
    ["gids", "/etc/subgid"],
  ] as const) {
    for (const line of readFileSync(path, "utf8")
      .split("\n")
      .filter((text) => text.startsWith(`${USER}:`))) {
      const [, start, size] = line.split(":").map(Number) as [number, number, number];
      checked(["usermod", `--del-sub${kind}`, `${start}-${start + size - 1}`, USER]);
    }
    checked(["usermod", `--add-sub${kind}`, range, USER]);
  }
  return Number(checked(["id", "-u", USER]));
}

function checked(command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { stdout: "pipe", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  return stdout.toString();
}
