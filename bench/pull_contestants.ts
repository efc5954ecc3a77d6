/**
 * Who pulls: bunker, other engines, and curl with tar, which check nothing of what they get and leave it to the kernel when
 * it reaches the disk.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { podman } from "./engines.ts";
import type { BenchCompression } from "./images.ts";
import type { Contestant } from "./measure.ts";
import type { Missing } from "./table.ts";
import { flush, succeeds } from "./workspace.ts";

/** An image in the registry. */
export interface Source {
  /** `127.0.0.1:PORT/bench/NAME:latest`. */
  readonly reference: string;
  /** URLs of the layers, bottom first. */
  readonly layers: readonly string[];
  readonly compression: BenchCompression;
}

/** What contestants work with. */
export interface Peers {
  readonly bunker: string;
  readonly directory: string;
  /** The words before docker's command; undefined where it is not installed. */
  readonly docker: readonly string[] | undefined;
}

/** A contestant, or why there is none. */
type Entry = Contestant | string;

const POLL_MS = 20;
const REMOVAL_MS_MAX = 20_000;

/** Words for `--with=`, bunker itself apart, with what they stand for in a table. */
const others: Readonly<Record<string, readonly [string, (source: Source, peers: Peers) => Entry]>> = {
  erofs: ["`bunker pull`, layers as EROFS images", imagePull],
  podman: ["`podman pull`", podmanPull],
  docker: ["`docker pull`", dockerPull],
  umoci: ["`skopeo copy` and `umoci unpack`", umociUnpack],
  curl: ["`curl`, decompress, `tar`, layer by layer", (source, peers) => unpackers(source, peers, false)],
  "curl-all": ["the same, all layers at once", (source, peers) => unpackers(source, peers, true)],
};

/** Words for `--with=`. */
export const otherNames: readonly string[] = Object.keys(others);

/** The contestants for an image, bunker first, and those that cannot take part. */
export function contestantsFor(
  source: Source,
  peers: Peers,
  names: readonly string[],
): { readonly contestants: readonly Contestant[]; readonly missing: readonly Missing[] } {
  const contestants = [bunkerPull(source, peers)];
  const missing: Missing[] = [];
  for (const [word, [name, make]] of Object.entries(others)) {
    if (!names.includes(word) || (word === "curl-all" && source.layers.length === 1)) continue;
    const entry = make(source, peers);
    if (typeof entry === "string") missing.push({ name, reason: entry });
    else contestants.push(entry);
  }
  return { contestants, missing };
}

/** Removing an image: to the prompt, whatever goes on behind it. */
export function removers({ reference }: Source, peers: Peers, names: readonly string[]): Contestant[] {
  const pulled = (remove: readonly string[], pull: readonly string[]) => async (): Promise<void> => {
    await emptied(peers);
    succeeds(remove);
    if (!succeeds(pull)) throw new Error(`Cannot prepare: "${pull.join(" ")}" failed`);
    flush(peers.directory);
  };
  const { bunker, docker, directory } = peers;
  const words = podman(directory);
  const own = (name: string, env: Record<string, string>): Contestant => {
    const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    return {
      name,
      env,
      reset: pulled(["true"], ["env", ...variables, bunker, "pull", "-q", reference]),
      command: () => [bunker, "rmi", reference],
    };
  };
  const contestants = [own("`bunker rmi`", bunkerEnvironment(peers))];
  if (names.includes("erofs")) {
    const env = { ...bunkerEnvironment(peers), ...withImages(peers) };
    contestants.push(own("`bunker rmi`, layers as EROFS images", env));
  }
  if (names.includes("podman") && Bun.which("podman") !== null) {
    const pull = [...words, "pull", "--quiet", "--tls-verify=false", reference];
    contestants.push({
      name: "`podman rmi`",
      reset: pulled([...words, "rmi", "--all", "--force"], pull),
      command: () => [...words, "rmi", reference],
    });
  }
  if (names.includes("docker") && docker !== undefined) {
    contestants.push({
      name: "`docker rmi`",
      hasDaemon: true,
      reset: pulled([...docker, "rmi", "--force", reference], [...docker, "pull", "--quiet", reference]),
      command: () => [...docker, "rmi", reference],
    });
  }
  return contestants;
}

const placeOf = ({ directory }: Peers): string => `${directory}/pull`;

const bunkerEnvironment = (peers: Peers): Record<string, string> => ({
  BUNKER_ROOT: `${placeOf(peers)}/bunker`,
  BUNKER_STATE: `${placeOf(peers)}/state`,
});

/** Empties the place that is unpacked to, once nothing is removed there in the background any more. */
async function emptied(peers: Peers): Promise<void> {
  const place = placeOf(peers);
  const work = `${place}/bunker/tmp`;
  for (const end = Date.now() + REMOVAL_MS_MAX; Date.now() < end; ) {
    if (!existsSync(work) || readdirSync(work).length === 0) break;
    // Until the second process has finished.
    await Bun.sleep(POLL_MS);
  }
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  flush(peers.directory);
}

function bunkerPull({ reference }: Source, peers: Peers): Contestant {
  return {
    name: "`bunker pull`",
    env: bunkerEnvironment(peers),
    reset: () => emptied(peers),
    command: () => [peers.bunker, "pull", "-q", reference],
  };
}

/** The same with `"layers": "erofs"`. */
function imagePull(source: Source, peers: Peers): Contestant {
  const { name, env, ...same } = bunkerPull(source, peers);
  return { ...same, name: `${name}, layers as EROFS images`, env: { ...env, ...withImages(peers) } };
}

function withImages({ directory }: Peers): Record<string, string> {
  const path = `${directory}/layers.json`;
  writeFileSync(path, JSON.stringify({ layers: "erofs" }));
  return { BUNKER_CONFIG: path };
}

function podmanPull({ reference }: Source, { directory }: Peers): Entry {
  if (Bun.which("podman") === null) return "not installed";
  const words = podman(directory);
  return {
    name: "`podman pull`",
    reset: () => forget([...words, "rmi", "--all", "--force"], directory),
    command: () => [...words, "pull", "--quiet", "--tls-verify=false", reference],
  };
}

function dockerPull({ reference, compression }: Source, { directory, docker }: Peers): Entry {
  if (docker === undefined) return "not installed";
  if (compression === "zstd") return "not measured: docker 20.10 does not read zstd";
  return {
    name: "`docker pull`",
    hasDaemon: true,
    reset: () => forget([...docker, "rmi", "--force", reference], directory),
    command: () => [...docker, "pull", "--quiet", reference],
  };
}

function umociUnpack({ reference, compression }: Source, peers: Peers): Entry {
  if (Bun.which("umoci") === null || Bun.which("skopeo") === null) return "not installed";
  if (compression === "zstd") return "not measured: umoci 0.4 does not read zstd";
  const script = `skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$1" "oci:$2/layout:image" &&
    umoci unpack --image "$2/layout:image" "$2/bundle"`;
  return shell("`skopeo copy` and `umoci unpack`", { script, words: [reference, placeOf(peers)], peers });
}

function unpackers({ layers, compression }: Source, peers: Peers, atOnce: boolean): Entry {
  if (Bun.which("curl") === null || Bun.which(compression) === null) return "not installed";
  const pipe = `curl -sSfL "$url" | ${compression} -dcq | tar -x -C`;
  // Each in a place of its own: two that make the same directory at once get into each other's way.
  const script = atOnce
    ? `place=$1; shift; jobs=; count=0
       for url; do count=$((count + 1)); mkdir "$place/$count"; (${pipe} "$place/$count") & jobs="$jobs $!"; done
       for job in $jobs; do wait "$job" || exit 1; done`
    : `place=$1; shift; for url; do ${pipe} "$place" || exit 1; done`;
  const name = atOnce
    ? "the same, all layers at once"
    : `\`curl\`, \`${compression} -dc\`, \`tar\`, layer by layer`;
  return shell(name, { script, words: [placeOf(peers), ...layers], peers });
}

function forget(command: readonly string[], directory: string): void {
  // Fails when there is nothing to remove.
  succeeds(command);
  flush(directory);
}

interface ShellOptions {
  readonly script: string;
  readonly words: readonly string[];
  readonly peers: Peers;
}

function shell(name: string, { script, words, peers }: ShellOptions): Contestant {
  return {
    name,
    reset: () => emptied(peers),
    command: () => ["bash", "-o", "pipefail", "-c", script, "bench", ...words],
  };
}
