/** Debian's podman, with a store of its own, in a host of its own. */
import { writeFileSync } from "node:fs";
import { buildTar } from "../helpers/tar_builder.ts";
import { Engine, IMAGE } from "./engine.ts";
import { type CallerHost, startOnHost } from "./host.ts";
import { imageEntries } from "./image.ts";
import { installRuntime } from "./runtime.ts";

/** A network of the plug-ins in /usr/lib/cni, as the packages bring it, but for this host alone. */
const NETWORK = {
  cniVersion: "0.4.0",
  name: "podman",
  plugins: [
    {
      type: "bridge",
      bridge: "cni-podman0",
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        routes: [{ dst: "0.0.0.0/0" }],
        ranges: [[{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }]],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
    { type: "firewall" },
    { type: "tuning" },
  ],
};

/** Starts a host and imports the image. */
export function startPodman(): Promise<Engine> {
  return startOnHost("podman-host", startPodmanIn);
}

async function startPodmanIn(host: CallerHost): Promise<Engine> {
  const archive = `${host.directory}/image.tar`;
  writeFileSync(archive, buildTar(imageEntries()));
  writeFileSync(`${host.makeDirectory("networks")}/podman.conflist`, JSON.stringify(NETWORK));
  const engine = new Engine({
    kind: "podman",
    host,
    command: podmanCommand(host, installRuntime(host.directory)),
  });
  await importImages(engine, archive);
  await host.makeCgroup("libpod_parent");
  // The first container makes what stays: the bridge.
  await engine.once([], ["true"]);
  return engine;
}

/** What the first container of a pod runs. */
const PAUSE_IMAGE = "pause";

/** Makes the image of every row, and that of pods, from an archive of their root. */
export async function importImages(podman: Engine, archive: string): Promise<void> {
  await podman.succeed(["import", "-q", "--change", "CMD=/bin/sh", archive, IMAGE]);
  const pause = 'ENTRYPOINT=["/bin/sleep","1000"]';
  await podman.succeed(["import", "-q", "--change", pause, archive, PAUSE_IMAGE]);
}

function podmanCommand(host: CallerHost, runtime: string): string {
  const configuration = `${host.directory}/containers.conf`;
  writeFileSync(configuration, podmanConfiguration(host));
  return host.script("podman", [
    `export CONTAINERS_CONF=${configuration} HOME=${host.directory}`,
    `exec ${host.directory}/enter podman ${podmanFlags(host.makeDirectory("store"), runtime)} "$@"`,
  ]);
}

/** Options before the command: a store below `directory`, the runtime, and nothing of systemd. */
export function podmanFlags(directory: string, runtime: string): string {
  const places = [
    "--root",
    `${directory}/root`,
    "--runroot",
    `${directory}/run`,
    "--tmpdir",
    `${directory}/tmp`,
  ];
  const drivers = ["--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--events-backend=file"];
  return [...places, "--runtime", runtime, ...drivers].join(" ");
}

/** Root may lack CAP_SYS_RESOURCE, so that podman's own limits, above those of this process, are refused. */
export function podmanConfiguration(host: CallerHost, containers: readonly string[] = []): string {
  return [
    "[containers]",
    ...containers,
    'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]',
    // podman's own, catatonit, is a package that docker's does without; both take the same arguments.
    'init_path = "/usr/bin/docker-init"',
    "[network]",
    'network_backend = "cni"',
    `network_config_dir = "${host.directory}/networks"`,
    "[engine]",
    'runtime_supports_json = ["crun", "runc", "bunker-oci"]',
    // This is the name that podman reads, whatever its manual says.
    'runtime_supports_nocgroup = ["crun", "bunker-oci"]',
    `infra_image = "localhost/${PAUSE_IMAGE}"`,
    "",
  ].join("\n");
}
