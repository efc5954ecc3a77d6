/**
 * Pulling an image from a registry on loopback until it is unpacked on the disk, and removing it. Each run begins without
 * the image; what is left of the last is removed, and the disk flushed, outside of the time that counts.
 */
import { mkdirSync } from "node:fs";
import {
  type DockerRegistry,
  hasDockerRegistry,
  startDockerRegistry,
} from "../tests/helpers/docker_registry.ts";
import type { BuiltImage } from "../tests/helpers/image_builder.ts";
import { removeGroups, startDocker } from "./engines.ts";
import {
  type BenchCompression,
  type BenchImage,
  compressed,
  describeImage,
  imageNames,
  makeArchives,
} from "./images.ts";
import { describeLimit } from "./limit.ts";
import { measure } from "./measure.ts";
import { contestantsFor, otherNames, type Peers, removers, type Source } from "./pull_contestants.ts";
import type { BenchSettings } from "./start.ts";
import { formatTable, median } from "./table.ts";
import { flush } from "./workspace.ts";

const COMPRESSIONS: readonly BenchCompression[] = ["gzip", "zstd"];
/** The image whose removal is measured: it has the most files. */
const REMOVED = "small";

interface Chosen {
  readonly registry: DockerRegistry;
  readonly peers: Peers;
  readonly settings: BenchSettings;
  /** Who takes part beside bunker. */
  readonly names: readonly string[];
}

/** Measures it, a table for each image and compression. @returns Markdown */
export async function benchPull(settings: BenchSettings): Promise<string> {
  const { bunker, directory, list } = settings;
  if (!hasDockerRegistry)
    return "Pulling was not measured: docker-registry, skopeo or openssl is not installed.\n";
  const names = list("with", otherNames);
  const images = list("image", imageNames);
  const compressions = COMPRESSIONS.filter((each) => list("layers", COMPRESSIONS).includes(each));
  await using stack = new AsyncDisposableStack();
  stack.defer(removeGroups);
  // Its data too belongs on the disk that is described.
  process.env["TMPDIR"] = directory;
  const registry = stack.use(await startDockerRegistry());
  const hasDocker = Bun.which("dockerd") !== null && Bun.which("docker") !== null;
  const docker =
    hasDocker && names.includes("docker") ? stack.use(await startDocker(directory)).client : undefined;
  const chosen: Chosen = { registry, peers: { bunker, directory, docker }, settings, names };
  const tables: string[] = [];
  for (const name of images) {
    const archives = makeArchives(name, directory);
    // One after another: they are to have the machine for themselves.
    for (const compression of compressions) tables.push(await tablesOf(archives, compression, chosen));
  }
  return tables.join("\n");
}

async function tablesOf(
  archives: BenchImage,
  compression: BenchCompression,
  { registry, peers, settings, names }: Chosen,
): Promise<string> {
  const { rounds, directory } = settings;
  const image = compressed(archives, compression);
  const source = await pushImage(`${archives.name}-${compression}`, image, { registry, compression });
  const { contestants, missing } = contestantsFor(source, peers, names);
  const how = { rounds, file: `${directory}/memory` };
  const measured = await measure(contestants, how);
  const title = describeImage(archives, image, compression);
  const texts = [formatTable(`pull: ${title}`, measured, missing)];
  const cpuMs = median(measured[0]?.cpuMs ?? []);
  const place = `${directory}/limit`;
  mkdirSync(place);
  texts.push(describeLimit({ archives, image, cpuMs, place }));
  flush(directory);
  if (archives.name === REMOVED && compression === "gzip") {
    texts.push(formatTable(`rmi: ${title}`, await measure(removers(source, peers, names), how), []));
  }
  return texts.filter((text) => text !== "").join("\n");
}

async function pushImage(
  name: string,
  image: BuiltImage,
  { registry, compression }: { registry: DockerRegistry; compression: BenchCompression },
): Promise<Source> {
  const repository = `bench/${name}`;
  // Otherwise skopeo sends a layer as it has seen it elsewhere on this machine, compressed in another way.
  await registry.push(`${repository}:latest`, image, ["--preserve-digests"]);
  const url = `${registry.url}/v2/${repository}/blobs`;
  const layers = image.layers.map(({ descriptor }) => `${url}/${descriptor.digest}`);
  return { reference: `${registry.host}/${repository}:latest`, layers, compression };
}
