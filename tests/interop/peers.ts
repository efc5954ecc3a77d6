/**
 * Debian's tools for images, each with a store of its own below one directory: skopeo, buildah, podman, umoci, docker-registry
 * and a Docker Engine. Nothing of the machine is changed for them, and nothing stays.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { removeGroupTree } from "../helpers/cgroup_files.ts";
import { type DockerEngine, startDockerEngine } from "../helpers/docker_engine.ts";
import { type DockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { type PipedResult, runPiped } from "../helpers/pipes.ts";
import { type Need, whyMissing } from "../helpers/requires.ts";

/** What every row needs. */
export const PEER_NEEDS: readonly Need[] = [
  "root",
  "overlayfs",
  "program busybox",
  "the executable",
  "program docker-registry",
  "program skopeo",
];

const COMMAND_MS_MAX = 60_000;
const CGROUPS = "/sys/fs/cgroup";
const PODMAN_CGROUP = `bunker-test-podman-${process.pid}`;
/** As docker_engine.ts names it, which removes it. */
const DOCKER_CGROUP = `bunker-test-docker-${process.pid}`;
/** podman's own limits are above what root may set here. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/** The peers of one file of tests. */
export class Peers implements AsyncDisposable {
  /** For archives, layouts, and what else a row needs. podman makes names of paths, and refuses capitals in them. */
  readonly directory = `${tmpdir()}/bunker-peers-${process.pid}`;
  readonly registry: DockerRegistry;
  readonly #docker: DockerEngine | undefined;
  #count = 0;

  private constructor(registry: DockerRegistry, docker: DockerEngine | undefined) {
    this.registry = registry;
    this.#docker = docker;
    for (const name of ["", "podman", "buildah", "tmp"]) mkdirSync(`${this.directory}/${name}`);
    // The machine's own rules and registries stay out of it.
    writeFileSync(`${this.directory}/policy.json`, '{"default":[{"type":"insecureAcceptAnything"}]}');
  }

  /** Starts what runs all the time: the registry, and the Docker Engine where there is one and it is wanted. */
  static async start({ docker = true }: { readonly docker?: boolean } = {}): Promise<Peers> {
    const hasDocker = docker && whyMissing(["docker engine"]) === undefined;
    // Before a test looks at what there is: the first container would make them, and they stay until all have run.
    for (const name of [PODMAN_CGROUP, ...(hasDocker ? [DOCKER_CGROUP] : [])]) makeCgroups(name);
    return new Peers(await startDockerRegistry(), hasDocker ? await startDockerEngine() : undefined);
  }

  /** A path that nobody has used. */
  path(name: string): string {
    this.#count += 1;
    return `${this.directory}/${this.#count}-${name}`;
  }

  /** Runs `skopeo copy`; the registry is the peers' own. */
  copy(from: string, to: string, options: readonly string[] = []): Promise<string> {
    const tls = [
      ...(from.startsWith("docker://") ? ["--src-tls-verify=false"] : []),
      ...(to.startsWith("docker://") ? ["--dest-tls-verify=false"] : []),
    ];
    return this.#run(["skopeo", "copy", "-q", "--insecure-policy", ...tls, ...options, from, to]);
  }

  /** What `skopeo inspect` prints of an image that is not in a registry. */
  inspect(...words: readonly string[]): Promise<string> {
    return this.#run(["skopeo", "inspect", ...words]);
  }

  buildah(...words: readonly string[]): Promise<string> {
    const store = `${this.directory}/buildah`;
    const places = ["--root", `${store}/root`, "--runroot", `${store}/run`, "--storage-driver", "overlay"];
    return this.#run(["buildah", ...places, ...words]);
  }

  podman(...words: readonly string[]): Promise<string> {
    return this.#run(this.podmanWords(...words));
  }

  /** Runs a container of podman; its cgroups are removed at the end of all. */
  podmanRun(image: string, ...command: readonly string[]): Promise<string> {
    const place = ["--network=none", "--cgroup-parent", `/${PODMAN_CGROUP}`];
    return this.podman("run", "--rm", "--pull=never", ...place, ...LIMITS, image, ...command);
  }

  umoci(...words: readonly string[]): Promise<string> {
    return this.#run(["umoci", ...words]);
  }

  async docker(...words: readonly string[]): Promise<string> {
    if (this.#docker === undefined) throw new Error("there is no Docker Engine here");
    return succeeded(words, await this.#docker.run(words, { timeoutMs: COMMAND_MS_MAX }));
  }

  /** Runs a shell in the directory of the peers. */
  shell(script: string): Promise<string> {
    return this.#run(["sh", "-ec", script]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#docker?.[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    for (const hierarchy of hierarchies()) await removeGroupTree(`${hierarchy}/${PODMAN_CGROUP}`);
    // podman and buildah have their stores mounted on themselves.
    for (const store of ["podman", "buildah"]) {
      await Bun.$`umount -l ${this.directory}/${store}/root/overlay`.quiet().nothrow();
    }
    removeTree({ dirfd: AT_FDCWD, path: this.directory });
  }

  /** A command of podman, for a shell. */
  podmanWords(...words: readonly string[]): readonly string[] {
    const store = `${this.directory}/podman`;
    const places = ["--root", `${store}/root`, "--runroot", `${store}/run`, "--tmpdir", `${store}/tmp`];
    const drivers = ["--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--events-backend=file"];
    return ["podman", ...places, ...drivers, "--runtime=runc", ...words];
  }

  async #run(command: readonly string[]): Promise<string> {
    const env = { PATH: process.env["PATH"], HOME: this.directory, TMPDIR: `${this.directory}/tmp` };
    const result = await runPiped(command, { env, cwd: this.directory, timeoutMs: COMMAND_MS_MAX });
    return succeeded(command, result);
  }
}

function succeeded(command: readonly string[], { exitCode, stdout, stderr }: PipedResult): string {
  if (exitCode !== 0) throw new Error(`"${command.join(" ")}" failed: ${stdout}${stderr}`);
  return stdout;
}

/** The one of version 2, or each of version 1. */
function hierarchies(): readonly string[] {
  const paths = [CGROUPS, ...readdirSync(CGROUPS).map((name) => `${CGROUPS}/${name}`)];
  return paths.filter((path) => existsSync(`${path}/cgroup.procs`));
}

function makeCgroups(name: string): void {
  for (const hierarchy of hierarchies()) mkdirSync(`${hierarchy}/${name}`, { recursive: true });
}
