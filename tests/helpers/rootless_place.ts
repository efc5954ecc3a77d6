/** Ordinary users for tests: with ranges of subordinate ids and with none, and the executable where they can run it. */
import { afterAll, beforeAll } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { baseLayer } from "../kernel/run/app.ts";
import { type FakeRegistry, serveRegistry } from "./fake_registry.ts";
import { type BuiltImage, buildImage } from "./image_builder.ts";
import { type PipedResult, runPiped } from "./pipes.ts";
import { type Need, whyMissing } from "./requires.ts";

/** What every test of an ordinary user needs. */
export const ROOTLESS_NEEDS: readonly Need[] = [
  "root",
  "user namespaces",
  "overlayfs",
  "program busybox",
  "program newuidmap",
  "program useradd",
  "program setpriv",
];
const BUILD_MS_MAX = 120_000;

/** Makes one place for all tests of the file that calls it, where they can run. @returns the place, from the first test on */
export function sharedPlace(): () => Place {
  let place: Place | undefined;
  beforeAll(async () => {
    if (whyMissing(ROOTLESS_NEEDS) === undefined) place = await Place.create();
  }, BUILD_MS_MAX);
  afterAll(() => place?.remove());
  return () => {
    if (place === undefined) throw new Error("there is no place before the first test");
    return place;
  };
}

/** Ids far from those that Debian gives out. */
export const RANGE = { start: 1_400_000_000, size: 65_536 };
const UID_WITHOUT_ACCOUNT = 1_399_999_000;
const USER = `bunker-test-${process.pid}`;

/** An ordinary user with a home of its own, where bunker keeps its data. */
export class User implements AsyncDisposable {
  readonly uid: number;
  readonly home: string;
  readonly prefix: readonly string[];
  readonly #reference: string;

  constructor(uid: number, home: string, place: Pick<Place, "executable" | "reference">) {
    this.uid = uid;
    this.#reference = place.reference;
    this.home = home;
    mkdirSync(home, { mode: 0o755 });
    chownSync(home, uid, uid);
    this.prefix = [
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
      ...["env", "-i", `PATH=/usr/bin:/bin:${home}/bin`, `HOME=${home}`, place.executable],
    ];
  }

  get root(): string {
    return `${this.home}/.local/share/bunker`;
  }

  /** Runs any program as this user. @param words an absolute path and its arguments */
  command(words: readonly string[]): Promise<PipedResult> {
    return runPiped([...this.prefix.slice(0, -1), ...words]);
  }

  bunker(args: readonly string[]): Promise<PipedResult> {
    return runPiped([...this.prefix, ...args]);
  }

  /** Runs a script in the image. */
  run(flags: readonly string[], script: string): Promise<PipedResult> {
    return this.bunker(["run", "-q", ...flags, this.#reference, "sh", "-c", script]);
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
export class Place {
  readonly #directory: string;
  readonly #registry: FakeRegistry;
  readonly executable: string;
  readonly ranged: User;
  #count = 0;

  readonly image: BuiltImage;

  private constructor(directory: string, image: BuiltImage) {
    this.#directory = directory;
    this.image = image;
    this.#registry = serveRegistry({ images: { "app:latest": image } });
    this.executable = `${directory}/bunker`;
    const uid = addAccount(`${directory}/ranged`);
    this.ranged = new User(uid, `${directory}/ranged`, this);
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
    return new Place(directory, image);
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
    return new User(UID_WITHOUT_ACCOUNT + this.#count, `${this.#directory}/single-${this.#count}`, this);
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
