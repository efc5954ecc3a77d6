/** `bunker pull` as it looks from outside: its outputs, a terminal, signals in its middle, and the run after it. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { DEFAULT_TIMEOUTS } from "../../src/registry/exchange.ts";
import { programs } from "../helpers/bunker.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { runPiped } from "../helpers/pipes.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { hold, stall } from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { Screen } from "../helpers/screen.ts";
import { baseLayer } from "../kernel/run/app.ts";

const config = { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] };
const app = buildImage({
  layers: [baseLayer(), { entries: [{ name: "noise", data: noise(3_000_000) }] }],
  config,
});
const images = { "app:latest": app, "library/app:latest": app };
const [base, large] = app.layers.map(({ descriptor }) => descriptor.digest) as [string, string];
const LARGE = new RegExp(`^GET .*${large}`);
/** More than the sum of what a test with a screen waits for at most: else its terminal would outlive it. */
const TERMINAL_MS_MAX = 120_000;
/** What is typed before the shell asks for it shows twice. */
const PROMPT = /^#\s*$/m;
const shortOf = (digest: string): string => digest.slice("sha256:".length).slice(0, 12);

describe("the outputs of bunker pull", () => {
  kernelTest(
    "are docker's lines on stderr, and the reference alone on stdout",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);

      const { exitCode, stdout, stderr } = await place.bunker(["pull", place.name()]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${place.name()}:latest\n` });
      const lines = stderr.split("\n");
      expect(lines[0]).toBe(`latest: Pulling from ${place.name()}`);
      for (const digest of [base, large]) {
        const steps = lines.filter((line) => line.startsWith(shortOf(digest))).map((line) => line.slice(14));
        expect(steps).toEqual(["Pulling fs layer", "Download complete", "Pull complete"]);
      }
      expect(lines.slice(7)).toEqual([
        `Digest: ${app.digest}`,
        `Status: Downloaded newer image for ${place.name()}:latest`,
        "",
      ]);
      expect(stderr).not.toContain("\u001b");
    },
  );

  kernelTest(
    "say that an image is up to date, after a request that counts as none",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull();
      place.registry.reset();

      const { stdout, stderr } = await place.bunker(["pull", place.name()]);

      expect(stdout).toBe(`${place.name()}:latest\n`);
      expect(stderr).toEndWith(`Status: Image is up to date for ${place.name()}:latest\n`);
      expect(place.registry.count(/^HEAD .*\/manifests\/latest$/)).toBe(1);
      expect(place.registry.requests).toHaveLength(1);
    },
  );

  kernelTest("are the reference alone with --quiet, whose place is free", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const results = [
      await place.bunker(["pull", "-q", place.name()]),
      await place.bunker(["pull", place.name(), "--quiet"]),
    ];

    for (const { exitCode, stdout, stderr } of results) {
      expect({ exitCode, stdout, stderr }).toEqual({
        exitCode: 0,
        stdout: `${place.name()}:latest\n`,
        stderr: "",
      });
    }
  });

  kernelTest(
    "name an image of Docker Hub by its short name, and whole on stdout",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images, { auth: { type: "token" }, blobRedirects: true });

      const { exitCode, stdout, stderr } = await place.bunker(["pull", "app"]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "docker.io/library/app:latest\n" });
      expect(stderr).toStartWith("latest: Pulling from library/app\n");
      expect(stderr).toEndWith("Status: Downloaded newer image for app:latest\n");
    },
  );

  kernelTest("go before those of a run that has to pull, all on stderr", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);

    const first = await place.bunker(["run", place.name(), "echo", "hey"]);
    const second = await place.bunker(["run", place.name(), "echo", "hey"]);

    expect({ exitCode: first.exitCode, stdout: first.stdout }).toEqual({ exitCode: 0, stdout: "hey\n" });
    expect(first.stderr).toStartWith(`Unable to find image "${place.name()}:latest" locally\n`);
    expect(second).toMatchObject({ exitCode: 0, stdout: "hey\n", stderr: "" });
  });
});

describe("bunker pull in a terminal", () => {
  kernelTest(
    "ends with one line for each layer, and a clean screen below",
    [...PULL_NEEDS, "program tmux"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const seen = Promise.withResolvers<void>();
      place.registry.break(hold(1_500_000, seen.promise, { on: LARGE }));
      const env = environmentOf(place);
      await using screen = new Screen(`${sandbox.directory}/tmux`, { env, columns: 100, rows: 20 });
      await screen.until(PROMPT);

      screen.type(`$BUNKER pull ${place.name()}; stty -a | grep -c ' echo '; echo "ended $?"`);
      const during = await screen.until(/Downloading \[=+> *\]/);
      seen.resolve();
      const after = await screen.until(/^ended 0\n#/m);

      expect(during).toContain(`${shortOf(large)}: Downloading [`);
      const lines = after.split("\n").filter((line) => line !== "");
      // The first line is what was typed, the last a new prompt.
      expect(lines.slice(1, -1)).toEqual([
        `latest: Pulling from ${place.name()}`,
        `${shortOf(base)}: Pull complete`,
        `${shortOf(large)}: Pull complete`,
        `Digest: ${app.digest}`,
        `Status: Downloaded newer image for ${place.name()}:latest`,
        `${place.name()}:latest`,
        "1",
        "ended 0",
      ]);
    },
    TERMINAL_MS_MAX,
  );

  kernelTest(
    "is ended by Ctrl-C, and the terminal is as before",
    [...PULL_NEEDS, "program tmux"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      place.registry.break(stall(1_500_000, { on: LARGE }));
      await using screen = new Screen(`${sandbox.directory}/tmux`, {
        env: environmentOf(place),
        columns: 100,
        rows: 20,
      });
      await screen.until(PROMPT);
      screen.type(`stty -g > $HOME/before; $BUNKER pull ${place.name()}`);
      await screen.until(/Downloading \[=+> *\]/);

      screen.press("C-c");
      // The pull cleans up first; the shell's prompt then begins a line of its own.
      await screen.until(/\n#\s*$/);
      screen.type('echo "ended $?"; stty -g | cmp - $HOME/before && echo same');

      const shown = await screen.until(/^same$/m);
      expect(shown).toMatch(/^ended 130$/m);
      expect(shown).not.toContain("bunker: ");
      // What was being written goes with the next pull.
      place.registry.reset();
      await place.pull();
    },
    TERMINAL_MS_MAX,
  );

  kernelTest(
    "shows how far a layer is that goes no further",
    [...PULL_NEEDS, "program tmux"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      place.registry.break(stall(1_500_000, { times: 1, on: LARGE }));
      await using screen = new Screen(`${sandbox.directory}/tmux`, {
        env: environmentOf(place),
        columns: 100,
        rows: 20,
      });

      screen.type(`$BUNKER pull ${place.name()}`);

      await screen.until(/Downloading \[=+> *\] {2}1\.5MB\/3MB/);
      screen.press("C-c");
      await place.pull();
    },
    TERMINAL_MS_MAX,
  );
});

describe("a signal in the middle of bunker pull", () => {
  const signals: ReadonlyArray<readonly [NodeJS.Signals, number]> = [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGKILL", 137],
  ];
  for (const [signal, exitCode] of signals) {
    for (const command of ["pull", "run"]) {
      kernelTest(
        `ends it at once and changes nothing: ${signal}, ${command}`,
        PULL_NEEDS,
        async (sandbox) => {
          await using place = new PullPlace(sandbox, images);
          place.registry.break(stall(1_000_000, { on: LARGE }));
          const words =
            command === "run" ? ["run", "-q", place.name(), "true"] : ["pull", "-q", place.name()];
          const child = start(place, words);
          await untilStaged(place);

          child.kill(signal);
          const started = performance.now();
          const ended = await shellCodeOf(child);

          expect({ ended, stdout: await child.stdout.text() }).toEqual({ ended: exitCode, stdout: "" });
          expect(performance.now() - started).toBeLessThan(DEFAULT_TIMEOUTS.stallMs / 2);
          if (signal !== "SIGKILL") expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
          expect(imagesOf(sandbox.root)).toEqual([]);
          expect((await place.bunker(["images", "--json"])).stdout).toBe("[]\n");

          place.registry.reset();
          const again = await place.bunker(["run", "-q", place.name(), "wc", "-c", "/noise"]);

          expect(again).toMatchObject({ exitCode: 0, stdout: "3000000 /noise\n", stderr: "" });
          expect(readdirSync(`${sandbox.root}/tmp`)).toEqual([]);
          expect(wrongBlobs(sandbox.root)).toEqual([]);
        },
      );
    }
  }
});

describe("the run of a local image", () => {
  kernelTest("asks no registry, not even for a name", [...PULL_NEEDS, "program strace"], async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    place.registry.reset();
    const trace = `${sandbox.directory}/trace`;

    const words = [...programs["dist/bunker"], "run", place.name(), "true"];
    const { exitCode, stderr } = await runPiped(
      ["strace", "-f", "-qq", "-o", trace, "-e", "trace=socket,connect,sendto", ...words],
      { env: environmentOf(place) },
    );

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(readFileSync(trace, "utf8")).not.toMatch(/AF_INET|AF_NETLINK|AF_UNIX.*sun_path/);
    expect(place.registry.requests).toEqual([]);
  });

  kernelTest("works when the registry is gone", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    await place.registry.stop();

    const { exitCode, stdout, stderr } = await place.bunker(["run", place.name(), "echo", "hey"]);

    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "hey\n", stderr: "" });
  });

  kernelTest(
    "reads no module of registries, archives or command trees",
    [...PULL_NEEDS, "program strace"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const first = await modulesOpened(place, ["run", "-q", place.name(), "true"]);
      const second = await modulesOpened(place, ["run", "-q", place.name(), "true"]);

      const spared = /^(?:src\/(?:registry|image)\/|node_modules\/(?:tar|ofetch|citty)\/)/;
      // The pull of the first run shows that the trace sees such modules.
      expect(first.filter((path) => spared.test(path))).toContain("src/image/tar/reader.ts");
      expect(second.filter((path) => spared.test(path))).toEqual([]);
      expect(second).toContain("src/engine/run.ts");
    },
  );
});

const REPOSITORY = new URL("../../", import.meta.url).pathname;

/** Modules, from the repository's root, that a command opens when it runs from its sources. */
async function modulesOpened(place: PullPlace, words: readonly string[]): Promise<readonly string[]> {
  const trace = `${place.sandbox.directory}/trace`;
  const strace = ["strace", "-f", "-qq", "-s", "4096", "-o", trace, "-e", "trace=open,openat"];
  const { exitCode, stderr } = await runPiped([...strace, ...programs["bun run src/main.ts"], ...words], {
    env: environmentOf(place),
  });
  if (exitCode !== 0) throw new Error(stderr);
  // Without the results: those of calls that another thread interrupts stand in lines of their own.
  const paths = readFileSync(trace, "utf8").matchAll(/"([^"]+\.(?:ts|m?js))"/g);
  return [...paths].map(([, path = ""]) => path.replace(REPOSITORY, ""));
}

function environmentOf(place: PullPlace): Record<string, string> {
  const { root, state } = place.sandbox;
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: place.sandbox.directory,
    BUNKER_ROOT: root,
    BUNKER_STATE: state,
    BUNKER_CONFIG: place.config,
    // What is typed on a screen must fit into a line, wherever the checkout lies.
    BUNKER: programs["dist/bunker"][0],
  };
}

type Child = Bun.Subprocess<"ignore", "pipe", "pipe">;

function start(place: PullPlace, words: readonly string[]): Child {
  return Bun.spawn([...programs["dist/bunker"], ...words], {
    env: environmentOf(place),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** The exit code as a shell shows it: 128 + n after signal n. */
async function shellCodeOf(child: Child): Promise<number> {
  const numbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  const code = await child.exited;
  return child.signalCode === null ? code : 128 + (numbers[child.signalCode] ?? 0);
}

/** Waits until the pull has the beginning of the large layer on disk. */
async function untilStaged({ sandbox, registry }: PullPlace): Promise<void> {
  const end = Date.now() + 30_000;
  while (Date.now() < end) {
    const staged = `${sandbox.root}/tmp`;
    if (registry.count(LARGE) > 0 && existsSync(staged) && hasBytes(staged)) return;
    // Looking again is the only way to know.
    await Bun.sleep(10);
  }
  throw new Error("the pull has not begun");
}

function hasBytes(directory: string): boolean {
  return readdirSync(directory, { recursive: true, withFileTypes: true }).some(
    (entry) => entry.isFile() && Bun.file(`${entry.parentPath}/${entry.name}`).size > 500_000,
  );
}

/** Records of images, layers and blobs: all that counts as there. */
function imagesOf(root: string): readonly string[] {
  return ["refs", "layers", "l", "blobs/sha256"].flatMap((name) =>
    existsSync(`${root}/${name}`) ? readdirSync(`${root}/${name}`) : [],
  );
}

/** Blobs that are not what their name says. */
function wrongBlobs(root: string): readonly string[] {
  const directory = `${root}/blobs/sha256`;
  return readdirSync(directory).filter((name) => {
    const bytes = readFileSync(`${directory}/${name}`);
    return new Bun.CryptoHasher("sha256").update(bytes).digest("hex") !== name;
  });
}
