/** What peers save: each row is one archive, made of the image that goes round, and what skopeo calls it. */
import type { Need } from "../helpers/requires.ts";
import type { Peers } from "./peers.ts";
import { directoryOf, layoutOf } from "./registry_rows.ts";
import { sourceImage } from "./sources.ts";

/** An archive as a peer has written it. */
export interface PeerArchive {
  /** Absolute. */
  readonly path: string;
  /** In skopeo's words, e.g. `oci-archive:/a/b.tar`; undefined for more than one image. */
  readonly reference?: string;
}

/** One way to save. */
export interface ArchiveRow {
  readonly what: string;
  readonly needs: readonly Need[];
  /** Names that the images are to have, sorted; none for one that the archive does not name. */
  readonly names: readonly string[];
  save(peers: Peers): Promise<PeerArchive>;
}

const NAME = "localhost/app:1";
const OTHER = "localhost/other:2";

/** A layout or another directory as an archive, since `bunker load` reads archives. */
async function packed(peers: Peers, directory: string): Promise<string> {
  const path = peers.path("packed.tar");
  await peers.shell(`tar -C ${directory} -cf ${path} .`);
  return path;
}

const skopeoRows: readonly ArchiveRow[] = [
  {
    what: "skopeo copy to docker-archive:",
    needs: [],
    names: [NAME],
    save: async (peers) => {
      const path = peers.path("skopeo.tar");
      await peers.copy(layoutOf(peers, sourceImage()), `docker-archive:${path}:${NAME}`);
      return { path, reference: `docker-archive:${path}` };
    },
  },
  ...(["gzip", "zstd"] as const).map(
    (compression): ArchiveRow => ({
      what: `skopeo copy to oci-archive:, ${compression}`,
      needs: [],
      names: [NAME],
      save: async (peers) => {
        const path = peers.path("skopeo.tar");
        await peers.copy(layoutOf(peers, sourceImage({ compression })), `oci-archive:${path}:${NAME}`);
        return { path, reference: `oci-archive:${path}` };
      },
    }),
  ),
  {
    what: "skopeo copy to oci:, not compressed, packed by tar",
    needs: [],
    names: [],
    save: async (peers) => {
      const directory = peers.path("layout");
      const plain = ["--dest-oci-accept-uncompressed-layers"];
      await peers.copy(layoutOf(peers, sourceImage({ compression: "none" })), `oci:${directory}:tag`, plain);
      return { path: await packed(peers, directory), reference: `oci:${directory}` };
    },
  },
  {
    what: "skopeo copy to dir:, packed by tar",
    needs: [],
    names: [],
    save: async (peers) => {
      const reference = directoryOf(peers, sourceImage({ flavour: "docker" }));
      return { path: await packed(peers, reference.slice("dir:".length)), reference };
    },
  },
];

const buildahRows = (["docker-archive", "oci-archive"] as const).map(
  (form): ArchiveRow => ({
    what: `buildah push to ${form}:`,
    needs: ["program buildah"],
    names: [NAME],
    save: async (peers) => {
      const path = peers.path("buildah.tar");
      const policy = ["--signature-policy", `${peers.directory}/policy.json`];
      const id = (await peers.buildah("pull", "-q", ...policy, layoutOf(peers, sourceImage()))).trim();
      await peers.buildah("push", "-q", ...policy, id, `${form}:${path}:${NAME}`);
      return { path, reference: `${form}:${path}` };
    },
  }),
);

/** Has podman know the image under a name. */
async function podmanImage(peers: Peers, name: string, salt = ""): Promise<void> {
  const id = (await peers.podman("pull", "-q", layoutOf(peers, sourceImage({ salt })))).trim();
  await peers.podman("tag", id, name);
}

const PODMAN: readonly Need[] = ["program podman"];
const podmanRows: readonly ArchiveRow[] = [
  ...(["docker-archive", "oci-archive"] as const).map(
    (form): ArchiveRow => ({
      what: `podman save --format=${form}`,
      needs: PODMAN,
      names: [NAME],
      save: async (peers) => {
        const path = peers.path("podman.tar");
        await podmanImage(peers, NAME);
        await peers.podman("save", "-q", `--format=${form}`, "-o", path, NAME);
        return { path, reference: `${form}:${path}` };
      },
    }),
  ),
  {
    what: "podman save --format=oci-dir, packed by tar",
    needs: PODMAN,
    names: [NAME],
    save: async (peers) => {
      const directory = peers.path("podman-layout");
      await podmanImage(peers, NAME);
      await peers.podman("save", "-q", "--format=oci-dir", "-o", directory, NAME);
      return { path: await packed(peers, directory), reference: `oci:${directory}` };
    },
  },
  {
    what: "podman save --format=docker-dir, packed by tar",
    needs: PODMAN,
    names: [],
    save: async (peers) => {
      const directory = peers.path("podman-directory");
      await podmanImage(peers, NAME);
      await peers.podman("save", "-q", "--format=docker-dir", "-o", directory, NAME);
      return { path: await packed(peers, directory), reference: `dir:${directory}` };
    },
  },
  {
    what: "podman save --multi-image-archive, two images",
    needs: PODMAN,
    names: [NAME, OTHER],
    save: async (peers) => {
      const path = peers.path("podman.tar");
      await podmanImage(peers, NAME);
      await podmanImage(peers, OTHER, "other");
      await peers.podman("save", "-q", "-m", "-o", path, NAME, OTHER);
      return { path };
    },
  },
];

/** Has docker know the image under a name. */
async function dockerImage(peers: Peers, name: string, salt = ""): Promise<string> {
  const path = peers.path("docker.tar");
  await peers.copy(layoutOf(peers, sourceImage({ salt })), `docker-archive:${path}:${name}`);
  await peers.docker("load", "-q", "-i", path);
  return (await peers.docker("inspect", "-f", "{{.Id}}", name)).trim();
}

const DOCKER: readonly Need[] = ["docker engine"];
const dockerRows: readonly ArchiveRow[] = [
  {
    what: "docker save",
    needs: DOCKER,
    names: [NAME],
    save: async (peers) => {
      const path = peers.path("saved.tar");
      await dockerImage(peers, NAME);
      await peers.docker("save", "-o", path, NAME);
      return { path, reference: `docker-archive:${path}` };
    },
  },
  {
    what: "docker save of an id, without a name",
    needs: DOCKER,
    names: [],
    save: async (peers) => {
      const path = peers.path("saved.tar");
      await peers.docker("save", "-o", path, await dockerImage(peers, NAME));
      return { path, reference: `docker-archive:${path}` };
    },
  },
  {
    what: "docker save of two images with layers in common",
    needs: DOCKER,
    names: [NAME, OTHER],
    save: async (peers) => {
      const path = peers.path("saved.tar");
      await dockerImage(peers, NAME);
      const id = (await peers.docker("create", "--network=none", NAME)).trim();
      await peers.docker("cp", "/etc/hostname", `${id}:/srv/more`);
      await peers.docker("commit", id, OTHER);
      await peers.docker("rm", id);
      await peers.docker("save", "-o", path, NAME, OTHER);
      return { path };
    },
  },
];

/** All of them. */
export const archiveRows: readonly ArchiveRow[] = [
  ...skopeoRows,
  ...buildahRows,
  ...podmanRows,
  ...dockerRows,
];
