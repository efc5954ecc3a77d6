/**
 * Pulling an image from a registry on loopback until it is unpacked on the disk. Each run begins without the image; what is
 * left of the last is removed, and the disk flushed, outside of the time that counts.
 */
import { mkdirSync, rmSync } from "node:fs";
import { hasDockerRegistry, startDockerRegistry } from "../tests/helpers/docker_registry.ts";
import { podman, removeGroups, startDocker } from "./engines.ts";
import { type BenchImage, buildImages } from "./images.ts";
import { type Contestant, measure } from "./measure.ts";
import type { BenchSettings } from "./start.ts";
import { formatTable } from "./table.ts";
import { flush, succeeds } from "./workspace.ts";

/** An image in the registry. */
interface Source {
  /** `127.0.0.1:PORT/bench/NAME:latest`. */
  readonly reference: string;
  /** URLs of the layers, bottom first. */
  readonly layers: readonly string[];
}

/** Measures it, a table for each image. @returns Markdown */
export async function benchPull({ bunker, directory, rounds }: BenchSettings): Promise<string> {
  if (!hasDockerRegistry)
    return "Pulling was not measured: docker-registry, skopeo or openssl is not installed.\n";
  await using stack = new AsyncDisposableStack();
  stack.defer(removeGroups);
  // Its data too belongs on the disk that is described.
  process.env["TMPDIR"] = directory;
  const registry = stack.use(await startDockerRegistry());
  const hasDocker = Bun.which("dockerd") !== null && Bun.which("docker") !== null;
  const docker = hasDocker ? stack.use(await startDocker(directory)).client : undefined;
  const missing = ["podman", "skopeo", "umoci", "curl"].filter((name) => Bun.which(name) === null);
  if (docker === undefined) missing.push("docker");
  const tables: string[] = [];
  for (const each of buildImages(directory)) {
    // One image after another: they are to have the machine for themselves.
    const source = await pushImage(each, registry);
    const contestants = contestantsFor(source, { bunker, directory, docker });
    tables.push(
      formatTable(
        `pull: ${each.describe}`,
        await measure(contestants, { rounds, file: `${directory}/memory` }),
        missing,
      ),
    );
  }
  return tables.join("\n");
}

async function pushImage(
  { name, image }: BenchImage,
  registry: Awaited<ReturnType<typeof startDockerRegistry>>,
): Promise<Source> {
  const repository = `bench/${name.replaceAll(" ", "-")}`;
  await registry.push(`${repository}:latest`, image);
  const url = `${registry.url}/v2/${repository}/blobs`;
  const layers = image.layers.map(({ descriptor }) => `${url}/${descriptor.digest}`);
  return { reference: `${registry.host}/${repository}:latest`, layers };
}

interface Peers {
  readonly bunker: string;
  readonly directory: string;
  readonly docker: readonly string[] | undefined;
}

function contestantsFor(source: Source, { bunker, directory, docker }: Peers): Contestant[] {
  const { reference } = source;
  const place = `${directory}/pull`;
  const emptied = async (): Promise<void> => {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
    flush(directory);
  };
  const env = { BUNKER_ROOT: `${place}/bunker`, BUNKER_STATE: `${place}/state` };
  const contestants: Contestant[] = [
    { name: "`bunker pull`", env, reset: emptied, command: () => [bunker, "pull", "-q", reference] },
  ];
  const words = podman(directory);
  const options = ["--quiet", "--tls-verify=false"];
  if (Bun.which("podman") !== null) {
    contestants.push({
      name: "`podman pull`",
      reset: () => forget([...words, "rmi", "--all", "--force"], directory),
      command: () => [...words, "pull", ...options, reference],
    });
  }
  if (docker !== undefined) {
    contestants.push({
      name: "`docker pull`",
      reset: () => forget([...docker, "rmi", "--force", reference], directory),
      command: () => [...docker, "pull", "--quiet", reference],
    });
  }
  if (Bun.which("umoci") !== null) {
    const script = `skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$1" "oci:$2/layout:image" &&
      umoci unpack --image "$2/layout:image" "$2/bundle"`;
    contestants.push(
      shell("`skopeo copy` and `umoci unpack`", { script, words: [reference, place], emptied }),
    );
  }
  if (Bun.which("curl") !== null) contestants.push(...unpackers(source, place, emptied));
  return contestants;
}

/** curl and tar check nothing of what they get, and leave it to the kernel when it reaches the disk. */
function unpackers({ layers }: Source, place: string, emptied: () => Promise<void>): Contestant[] {
  const script = `place=$1; shift; for url; do curl -sSfL "$url" | tar -xz -C "$place" || exit 1; done`;
  const words = [place, ...layers];
  return [
    shell("`curl \\| tar -xz`, layer by layer", { script, words, emptied }),
    shell("the same, and `sync -f`", { script: `${script}; sync -f "$place"`, words, emptied }),
  ];
}

function forget(command: readonly string[], directory: string): void {
  // Fails when there is nothing to remove.
  succeeds(command);
  flush(directory);
}

interface ShellOptions {
  readonly script: string;
  readonly words: readonly string[];
  readonly emptied: () => Promise<void>;
}

function shell(name: string, { script, words, emptied }: ShellOptions): Contestant {
  return { name, reset: emptied, command: () => ["bash", "-o", "pipefail", "-c", script, "bench", ...words] };
}
