/**
 * Starting a container of a local image: `/bin/true` in the same small root for everybody. bunker, podman and docker make an
 * overlay of the image first; crun and runc get a bundle that is ready, and nothing of it is removed but their state.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { buildDemoImage } from "../scripts/demo_image.ts";
import { serveRegistry } from "../tests/helpers/fake_registry.ts";
import { writeOciLayout } from "../tests/helpers/oci_layout.ts";
import { importIntoDocker, podman, podmanOptions, removeGroups, startDocker } from "./engines.ts";
import { type Contestant, measure } from "./measure.ts";
import { formatTable, notInstalled } from "./table.ts";
import { flush, output } from "./workspace.ts";

const COMMAND = "/bin/true";
const IMAGE = "bench/start:latest";

/** What all contestants of a part have in common. */
export interface BenchSettings {
  /** Path of the executable. */
  readonly bunker: string;
  /** An empty directory. */
  readonly directory: string;
  readonly rounds: number;
  /** What an option of the command line chooses from `known`. */
  list(option: string, known: readonly string[]): readonly string[];
}

/** Measures it. @returns Markdown */
export async function benchStart({ bunker, directory, rounds }: BenchSettings): Promise<string> {
  await using stack = new AsyncDisposableStack();
  stack.defer(removeGroups);
  const { own, root } = await prepareBunker(bunker, directory);
  const contestants: Contestant[] = [own];
  const notes: string[] = [];
  const missing: string[] = [];
  const add = (program: string, make: () => Contestant): void => {
    if (Bun.which(program) === null) missing.push(program);
    else contestants.push(make());
  };
  add("crun", () => bundleContestant("crun", { directory, root }));
  add("runc", () => bundleContestant("runc", { directory, root }));
  add("podman", () => podmanContestant(directory));
  if (Bun.which("dockerd") === null || Bun.which("docker") === null) missing.push("docker");
  else {
    const docker = stack.use(await startDocker(directory));
    importIntoDocker(docker.client, IMAGE, root);
    contestants.push({
      name: "`docker run`",
      hasDaemon: true,
      command: () => [...docker.client, "run", "--rm", "--network=host", IMAGE, COMMAND],
    });
    notes.push(
      `dockerd and containerd, which stay, take ${Math.round(docker.residentBytes() / 1e6)} MB more.`,
    );
  }
  contestants.push(...floors(directory, root));
  flush(directory);
  const table = formatTable(
    "start",
    await measure(contestants, { rounds, file: `${directory}/memory` }),
    notInstalled(missing),
  );
  return `${table}\n${notes.join(" ")}\n`;
}

interface PreparedBunker {
  readonly own: Contestant;
  /** The image's root as a directory. */
  readonly root: string;
}

async function prepareBunker(bunker: string, directory: string): Promise<PreparedBunker> {
  const env = { BUNKER_ROOT: `${directory}/bunker`, BUNKER_STATE: `${directory}/bunker-state` };
  const { image } = buildDemoImage();
  await using registry = serveRegistry({ images: { [IMAGE]: image } });
  const name = `${registry.host}/${IMAGE}`;
  const pulled = Bun.spawn([bunker, "pull", "-q", name], {
    env: { ...process.env, ...env },
    stdout: "ignore",
  });
  if ((await pulled.exited) !== 0) throw new Error("Cannot prepare: bunker pull failed");
  writeOciLayout(`${directory}/layout`, { image });
  const root = `${directory}/root`;
  mkdirSync(root);
  output(["sh", "-c", `cp -a "$1"/l/*/. "$2"`, "sh", env.BUNKER_ROOT, root]);
  const own = { name: "`bunker run`", env, command: () => [bunker, "run", "--rm", name, COMMAND] };
  return { own, root };
}

/** The runtime's own default configuration, with another command and without a terminal. */
function bundleContestant(
  runtime: "crun" | "runc",
  { directory, root }: { readonly directory: string; readonly root: string },
): Contestant {
  const bundle = `${directory}/${runtime}`;
  mkdirSync(bundle);
  output(["cp", "-a", root, `${bundle}/rootfs`]);
  output(["sh", "-c", `cd "$1" && "$2" spec`, "sh", bundle, runtime]);
  const config = JSON.parse(readFileSync(`${bundle}/config.json`, "utf8"));
  Object.assign(config.process, { terminal: false, args: [COMMAND] });
  writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
  const state = `${directory}/${runtime}-state`;
  return {
    name: `\`${runtime} run\` of a prepared bundle`,
    cwd: bundle,
    command: (run) => [runtime, "--root", state, "run", `bench-${process.pid}-${run}`],
  };
}

function podmanContestant(directory: string): Contestant {
  const words = podman(directory);
  output([...words, "pull", "--quiet", `oci:${directory}/layout:image`]);
  const id = output([...words, "images", "--quiet"]);
  return { name: "`podman run`", command: () => [...words, "run", ...podmanOptions(), id, COMMAND] };
}

/** What no engine can be faster than: the kernel's part, and Bun's. */
function floors(directory: string, root: string): Contestant[] {
  const source = `${directory}/empty.ts`;
  writeFileSync(source, "process.exit(0);\n");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm"];
  output([process.execPath, "build", ...flags, source, "--outfile", `${directory}/empty`]);
  return [
    {
      name: "`unshare -fp --mount chroot`, without anything else",
      command: () => ["unshare", "-fp", "--mount", "chroot", root, COMMAND],
    },
    { name: "an empty program compiled by Bun", command: () => [`${directory}/empty`] },
  ];
}
