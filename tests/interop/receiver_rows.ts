/** Peers that take what bunker has pushed or saved: each row is one way, and gives what shows that the image arrived whole. */
import type { Need } from "../helpers/requires.ts";
import type { Peers } from "./peers.ts";
import type { SourceOptions } from "./sources.ts";

/** One image of bunker, as peers find it. */
export interface Sent {
  /** `HOST/NAME:TAG`, pushed by bunker. */
  readonly pushed: string;
  /** An archive of `bunker save`, which has the same name in it. */
  readonly saved: string;
  /** Digest of the configuration: what engines call the image's id. */
  readonly id: string;
  /** The manifest, as text. */
  readonly manifest: string;
}

/** What came of it: each that is there has to be right. */
export interface Received {
  /** What the container printed. */
  readonly output?: string;
  readonly id?: string;
  readonly manifest?: string;
  /** Content of /srv/again in a tree that was unpacked. */
  readonly file?: string;
}

/** One way to take an image. */
export interface ReceiverRow {
  readonly what: string;
  readonly needs: readonly Need[];
  /** Why the peer cannot take some images; then it is to fail. */
  readonly cannot?: (image: Required<Pick<SourceOptions, "compression" | "flavour">>) => string | undefined;
  receive(peers: Peers, sent: Sent): Promise<Received>;
}

const PODMAN: readonly Need[] = ["program podman"];
const DOCKER: readonly Need[] = ["docker engine"];
const UMOCI: readonly Need[] = ["program umoci"];
const noZstd: ReceiverRow["cannot"] = ({ compression }) =>
  compression === "zstd" ? "it knows no zstd" : undefined;
const noDocker: ReceiverRow["cannot"] = (image) =>
  image.flavour === "docker" ? "it knows OCI's media types only" : noZstd(image);

/** Unpacks a layout by umoci. */
async function unpacked(peers: Peers, layout: string): Promise<Received> {
  const tree = peers.path("tree");
  await peers.umoci("raw", "unpack", "--image", layout, tree);
  return { file: await peers.shell(`cat ${tree}/srv/again`) };
}

/** Copies by skopeo into a directory, which has the manifest as it came. */
async function copied(peers: Peers, from: string): Promise<Received> {
  const directory = peers.path("copy");
  await peers.copy(from, `dir:${directory}`);
  return { manifest: await peers.shell(`cat ${directory}/manifest.json`) };
}

async function podmanRuns(peers: Peers, image: string): Promise<Received> {
  const id = (await peers.podman("image", "inspect", "-f", "{{.Id}}", image)).trim();
  const output = await peers.podmanRun(image);
  await peers.podman("rmi", "-f", id);
  return { id: `sha256:${id}`, output };
}

async function dockerRuns(peers: Peers, image: string): Promise<Received> {
  const id = (await peers.docker("inspect", "-f", "{{.Id}}", image)).trim();
  const output = await peers.docker("run", "--rm", "--network=none", image);
  await peers.docker("rmi", "-f", id);
  return { id, output };
}

/** All of them. */
export const receiverRows: readonly ReceiverRow[] = [
  {
    what: "skopeo copies what was pushed",
    needs: [],
    receive: (peers, { pushed }) => copied(peers, `docker://${pushed}`),
  },
  {
    what: "skopeo copies what was saved, as an OCI archive",
    needs: [],
    receive: (peers, { saved }) => copied(peers, `oci-archive:${saved}`),
  },
  {
    what: "skopeo copies what was saved, as docker's archive",
    needs: [],
    receive: async (peers, { saved, pushed }) => {
      const reference = `docker-archive:${saved}:${pushed}`;
      const config = await peers.inspect("--config", "--raw", reference);
      await peers.copy(reference, `dir:${peers.path("copy")}`);
      return { id: `sha256:${new Bun.CryptoHasher("sha256").update(config).digest("hex")}` };
    },
  },
  {
    what: "podman pulls and runs what was pushed",
    needs: PODMAN,
    receive: async (peers, { pushed }) => {
      await peers.podman("pull", "-q", "--tls-verify=false", pushed);
      return podmanRuns(peers, pushed);
    },
  },
  {
    what: "podman loads and runs what was saved",
    needs: PODMAN,
    receive: async (peers, { saved, pushed }) => {
      await peers.podman("load", "-q", "-i", saved);
      return podmanRuns(peers, pushed);
    },
  },
  {
    what: "podman loads and runs what was saved, from a pipe",
    needs: PODMAN,
    receive: async (peers, { saved, pushed }) => {
      await peers.shell(`cat ${saved} | ${peers.podmanWords("load", "-q").join(" ")}`);
      return podmanRuns(peers, pushed);
    },
  },
  {
    what: "buildah mounts what was pushed",
    needs: ["program buildah"],
    receive: async (peers, { pushed }) => {
      const policy = ["--signature-policy", `${peers.directory}/policy.json`, "--tls-verify=false"];
      const container = (await peers.buildah("from", "-q", ...policy, `docker://${pushed}`)).trim();
      const tree = (await peers.buildah("mount", container)).trim();
      const file = await peers.shell(`cat ${tree}/srv/again`);
      await peers.buildah("rm", container);
      return { file };
    },
  },
  {
    what: "umoci unpacks what was pushed, copied by skopeo",
    needs: UMOCI,
    cannot: noZstd,
    receive: async (peers, { pushed }) => {
      const layout = peers.path("layout");
      await peers.copy(`docker://${pushed}`, `oci:${layout}:image`);
      return unpacked(peers, `${layout}:image`);
    },
  },
  {
    what: "umoci unpacks what was saved, as a layout",
    needs: UMOCI,
    cannot: noDocker,
    receive: async (peers, { saved, pushed }) => {
      const layout = peers.path("layout");
      await peers.shell(`mkdir ${layout}; tar -C ${layout} -xf ${saved}`);
      return unpacked(peers, `${layout}:${pushed.split(":").at(-1)}`);
    },
  },
  {
    what: "docker pulls and runs what was pushed",
    needs: DOCKER,
    cannot: noZstd,
    receive: async (peers, { pushed }) => {
      await peers.docker("pull", "-q", pushed);
      return dockerRuns(peers, pushed);
    },
  },
  {
    what: "docker loads and runs what was saved",
    needs: DOCKER,
    cannot: noZstd,
    receive: async (peers, { saved, pushed }) => {
      await peers.docker("load", "-q", "-i", saved);
      return dockerRuns(peers, pushed);
    },
  },
];
