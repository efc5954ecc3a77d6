/** Debian's dockerd, with data and a socket of its own, in a host of its own; the runtime is named in daemon.json. */
import { readFileSync, writeFileSync } from "node:fs";
import { buildTar } from "../helpers/tar_builder.ts";
import { Engine, IMAGE } from "./engine.ts";
import { type CallerHost, startOnHost, until } from "./host.ts";
import { imageEntries } from "./image.ts";
import { installRuntime } from "./runtime.ts";

const START_MS_MAX = 90_000;

/** The name of the runtime in daemon.json. */
export const RUNTIME_NAME = "added";

export interface DockerOptions {
  readonly hostName: string;
  /** Whether containers that name no runtime get this one, too. */
  readonly isDefault: boolean;
  /** Further settings of daemon.json. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Starts a host with a dockerd in it, and imports the image. */
export function startDocker(options: DockerOptions): Promise<Engine> {
  return startOnHost(options.hostName, async (host) => {
    const engine = await startDockerIn(host, options);
    // The first containers make what stays: the bridge, a mount of the host's network namespace.
    await engine.once([], ["true"]);
    await engine.once(["--network=host", "--userns=host"], ["true"]);
    return engine;
  });
}

/** Starts dockerd in a host. @throws {Error} with its log when it does not answer */
export async function startDockerIn(host: CallerHost, options: DockerOptions): Promise<Engine> {
  const archive = `${host.directory}/image.tar`;
  writeFileSync(archive, buildTar(imageEntries()));
  writeFileSync(`${host.directory}/daemon.json`, JSON.stringify(daemonSettings(host, options)));
  const command = host.script("docker", [
    `export DOCKER_HOST=unix://${host.directory}/socket DOCKER_CONFIG=${host.makeDirectory("client")} DOCKER_BUILDKIT=0`,
    `exec ${host.directory}/enter docker "$@"`,
  ]);
  const engine = new Engine({ kind: "docker", host, command });
  await runDockerd(engine);
  await host.makeCgroup("docker");
  await engine.succeed(["import", "--change", 'CMD ["/bin/sh"]', archive, IMAGE]);
  return engine;
}

async function runDockerd(engine: Engine): Promise<void> {
  const { host } = engine;
  const path = (name: string): string => `${host.directory}/${name}`;
  const flags = [
    ["--host", `unix://${path("socket")}`, "--config-file", path("daemon.json")],
    ["--data-root", path("data"), "--exec-root", path("exec"), "--pidfile", path("docker.pid")],
    // The default, -500, takes CAP_SYS_RESOURCE, which root may lack.
    ["--oom-score-adjust=0", "--log-level=warn"],
  ].flat();
  host.daemon("dockerd", ["dockerd", ...flags]);
  const answers = async (): Promise<boolean> => (await engine.run(["version"])).exitCode === 0;
  await until("dockerd answers", answers, START_MS_MAX).catch((cause) => {
    throw new Error(readFileSync(path("dockerd.log"), "utf8"), { cause });
  });
}

/** Ends dockerd, and starts it again. */
export async function restartDockerd(engine: Engine): Promise<void> {
  const pid = readFileSync(`${engine.host.directory}/docker.pid`, "utf8");
  await engine.host.succeed(["kill", pid.trim()]);
  await until(
    "dockerd has ended",
    async () => (await engine.host.run(["kill", "-0", pid.trim()])).exitCode !== 0,
  );
  await runDockerd(engine);
}

function daemonSettings(host: CallerHost, { isDefault, settings }: DockerOptions): Record<string, unknown> {
  const path = installRuntime(host.directory);
  return {
    runtimes: { [RUNTIME_NAME]: { path }, second: { path } },
    ...(isDefault ? { "default-runtime": RUNTIME_NAME } : {}),
    ...settings,
  };
}
