/** The challenge's stages with bunker on this machine, as root: the executable, and the sources. */
import { afterAll, beforeAll, describe } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { programs } from "../helpers/bunker.ts";
import { compileExplorer } from "../helpers/explorer.ts";
import type { FakeRegistry } from "../helpers/fake_registry.ts";
import { serveHub, writeMirrorConfig } from "../helpers/hub.ts";
import { runPiped } from "../helpers/pipes.ts";
import { type Need, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { defineStages, randomNumber, STAGE_MS_MAX, type Stage } from "./stages.ts";

const NEEDS: readonly Need[] = ["root", "program gcc", "program ip", "program busybox"];

/** Runs of stages 1 to 5, in milliseconds. */
const RUN_MS_MAX = 5000;

/** A network namespace with nothing but its loopback: no registry is in reach, and nothing can be asked by mistake. */
const OFFLINE = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

const directory = mkdtempSync(`${tmpdir()}/bunker-stages-`);
const explorer = `${directory}/explorer`;
const config = `${directory}/config.json`;
let hub: FakeRegistry | undefined;

beforeAll(async () => {
  if (whyMissing(NEEDS) !== undefined) return;
  await compileExplorer(explorer);
  hub = serveHub();
  writeMirrorConfig(config, hub);
});

afterAll(async () => {
  await hub?.stop();
  rmSync(directory, { recursive: true, force: true });
});

describe.each([
  ["dist/bunker", ["the executable"]],
  ["bun run src/main.ts", []],
] as const)("%s", (program, needs) => {
  const prepare = (sandbox: Sandbox): Stage => {
    const env = {
      PATH: process.env["PATH"] ?? "",
      BUNKER_ROOT: sandbox.root,
      BUNKER_STATE: sandbox.state,
      BUNKER_CONFIG: config,
      BUNKER_COPY_COMMAND: "1",
    };
    const hiddenDirectory = `${directory}/${randomNumber()}`;
    mkdirSync(hiddenDirectory, { recursive: true, mode: 0o777 });
    return {
      explorer,
      hiddenDirectory,
      // BUNKER_CONFIG names a mirror that is out of reach there: Docker Hub is asked next, and cannot be found.
      offline: (args) => runPiped([...OFFLINE, ...programs[program], ...args], { env }),
      online: (args) => runPiped([...programs[program], ...args], { env }),
    };
  };

  defineStages(
    (name, body) =>
      kernelTest(name, [...NEEDS, ...needs], (sandbox) => body(prepare(sandbox)), STAGE_MS_MAX * 2),
    RUN_MS_MAX,
  );
});
