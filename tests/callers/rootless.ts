/** podman as an ordinary user of a host, with a store in the user's own directory. */
import { chownSync, writeFileSync } from "node:fs";
import { buildTar } from "../helpers/tar_builder.ts";
import { Engine } from "./engine.ts";
import { type CallerHost, startOnHost, USER } from "./host.ts";
import { imageEntries } from "./image.ts";
import { importImages, podmanConfiguration, podmanFlags } from "./podman.ts";
import { installRuntime } from "./runtime.ts";

const RUNTIME_DIRECTORY = `/run/user/${USER.uid}`;

/** Starts a host and imports the image into the user's store. */
export function startRootless(): Promise<Engine> {
  return startOnHost("rootless-host", async (host) => {
    await host.succeed([
      "sh",
      "-c",
      `mkdir -p ${RUNTIME_DIRECTORY} && chown ${USER.uid}:${USER.uid} ${RUNTIME_DIRECTORY}`,
    ]);
    const home = host.makeDirectory("home");
    for (const path of [home, host.makeDirectory("networks")]) chownSync(path, USER.uid, USER.uid);
    const archive = `${host.directory}/image.tar`;
    writeFileSync(archive, buildTar(imageEntries()));
    const engine = new Engine({ kind: "podman", host, command: rootlessCommand(host, home) });
    await importImages(engine, archive);
    // What stays is the process that holds the user's namespaces.
    await engine.once([], ["true"]);
    return engine;
  });
}

function rootlessCommand(host: CallerHost, home: string): string {
  const configuration = `${host.directory}/containers.conf`;
  // A network for an ordinary user takes slirp4netns, which podman's package only recommends.
  writeFileSync(configuration, podmanConfiguration(host, ['netns = "none"']));
  const user = `setpriv --reuid ${USER.uid} --regid ${USER.uid} --init-groups`;
  return host.script("podman", [
    `export CONTAINERS_CONF=${configuration} HOME=${home} XDG_RUNTIME_DIR=${RUNTIME_DIRECTORY}`,
    `exec ${host.directory}/enter ${user} podman ${podmanFlags(`${home}/store`, installRuntime(host.directory))} "$@"`,
  ]);
}
