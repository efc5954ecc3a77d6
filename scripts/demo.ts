/**
 * Builds bunker and shows its main job: pulls alpine:latest and runs commands in it. The image comes from Docker Hub when
 * that answers; otherwise from a registry of this program's own on loopback, with the Hub's token flow, which serves an
 * image made from this machine's files. Data and state lie in a temporary directory and are removed.
 *
 *     Usage: npm run demo [-- --offline]        --offline: do not ask Docker Hub
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveRegistry } from "../tests/helpers/fake_registry.ts";
import { buildDemoImage } from "./demo_image.ts";

const REPOSITORY = join(import.meta.dir, "..");
const HUB = "https://registry-1.docker.io/v2/";
/** How long Docker Hub may take to answer at all, and a command to end. */
const HUB_MS_MAX = 5000;
const COMMAND_MS_MAX = 180_000;

const IMAGE = "alpine:latest";
const MAIN_JOB = ["run", IMAGE, "/bin/echo", "hey"];
/** What follows the main job: commands with the exit codes that they shall have. */
const TOUR: readonly (readonly [exitCode: number, words: readonly string[]])[] = [
  [0, ["run", IMAGE, "/bin/ls", "/"]],
  [
    0,
    [
      "run",
      "--hostname",
      "demo",
      IMAGE,
      "/bin/sh",
      "-c",
      'echo "process $$ on $(cat /proc/sys/kernel/hostname)"',
    ],
  ],
  [
    0,
    [
      "run",
      "--read-only",
      "--network",
      "none",
      "-u",
      "1000",
      IMAGE,
      "/bin/grep",
      "^Cap",
      "/proc/self/status",
    ],
  ],
  [42, ["run", IMAGE, "/bin/sh", "-c", "exit 42"]],
  [0, ["images"]],
];

async function main(): Promise<number> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-demo-`);
  try {
    if ((await show([process.execPath, "run", "scripts/build.ts"], {})) !== 0) return 1;
    const places = { BUNKER_ROOT: `${directory}/data`, BUNKER_STATE: `${directory}/state` };
    if (await doFromHub(places)) return await tour(places);
    return await doFromLoopback({ ...places, BUNKER_CONFIG: `${directory}/config.json` });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function doFromHub(env: Record<string, string>): Promise<boolean> {
  if (process.argv.includes("--offline")) return false;
  if (!(await answers(HUB))) {
    say(`Docker Hub does not answer within ${HUB_MS_MAX / 1000} seconds.`);
    return false;
  }
  say("Docker Hub answers: the image is Docker's own.");
  if ((await bunker(MAIN_JOB, env)) === 0) return true;
  say("It could not be pulled from there.");
  return false;
}

async function doFromLoopback(env: Record<string, string> & { BUNKER_CONFIG: string }): Promise<number> {
  const { image, content } = buildDemoImage();
  await using registry = serveRegistry({
    images: { "library/alpine:latest": image },
    auth: { type: "token" },
  });
  say(`The image is made of ${content}, and comes from a registry of this program's own: ${registry.url}`);
  const configuration = { registries: { "docker.io": { mirrors: [registry.url] } } };
  writeFileSync(env.BUNKER_CONFIG, JSON.stringify(configuration));
  if ((await bunker(MAIN_JOB, env)) !== 0) return 1;
  return await tour(env);
}

async function tour(env: Record<string, string>): Promise<number> {
  for (const [expected, words] of TOUR) {
    // One after another, as a person would.
    const exitCode = await bunker(words, env);
    if (exitCode !== 0) say(`(exit code ${exitCode})`);
    if (exitCode !== expected) return 1;
  }
  say("That was all. dist/bunker is the whole program: try dist/bunker help run");
  return 0;
}

/** True when anything replies at all: without a token the Hub replies 401. */
async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(HUB_MS_MAX), redirect: "manual" });
    return true;
  } catch {
    // No network, no name, no answer: all the same here.
    return false;
  }
}

const bunker = (words: readonly string[], env: Record<string, string>): Promise<number> =>
  show(["dist/bunker", ...words], env);

/** Prints a command, then lets it print. @returns its exit code */
async function show(command: readonly string[], env: Record<string, string>): Promise<number> {
  const [program = "", ...words] = command;
  say(`$ ${[program === process.execPath ? "bun" : program, ...words].map(quote).join(" ")}`);
  const child = Bun.spawn([...command], {
    cwd: REPOSITORY,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
    timeout: COMMAND_MS_MAX,
  });
  return await child.exited;
}

const quote = (word: string): string =>
  /^[\w@%+=:,./^-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

function say(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

process.exit(await main());
