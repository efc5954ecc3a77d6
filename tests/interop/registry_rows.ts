/** What peers put into a registry: each row is one way, and the media types that it is to leave there. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { BuiltDocument } from "../helpers/image_builder.ts";
import {
  type BuiltImage,
  buildIndex,
  hostPlatform,
  type LayerCompression,
} from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import type { Need } from "../helpers/requires.ts";
import type { Peers } from "./peers.ts";
import { sourceImage } from "./sources.ts";

/** One way into the registry. */
export interface RegistryRow {
  readonly what: string;
  readonly needs: readonly Need[];
  /** Media types of the layers that are to be there. */
  readonly layers: RegExp;
  /** Why the peer cannot do it; then it is to fail. */
  readonly cannot?: string;
  /** The platform besides this machine's, for an index that is to come back whole. */
  readonly other?: string;
  /** Puts an image to `docker://TARGET`. */
  put(peers: Peers, target: string): Promise<unknown>;
}

const OCI_GZIP = /^application\/vnd\.oci\.image\.layer\.v1\.tar\+gzip$/;
const OCI_ZSTD = /^application\/vnd\.oci\.image\.layer\.v1\.tar\+zstd$/;
const OCI_PLAIN = /^application\/vnd\.oci\.image\.layer\.v1\.tar$/;
const DOCKER_GZIP = /^application\/vnd\.docker\.image\.rootfs\.diff\.tar\.gzip$/;

/** An OCI layout of a document, for skopeo's `oci:` and others. */
export function layoutOf(peers: Peers, document: BuiltDocument): string {
  const path = peers.path("layout");
  writeOciLayout(path, { image: document });
  return `oci:${path}:image`;
}

/** The same as a directory in skopeo's own form, which takes Docker's documents too. */
export function directoryOf(peers: Peers, document: BuiltDocument): string {
  const path = peers.path("directory");
  mkdirSync(path);
  writeFileSync(`${path}/version`, "Directory Transport Version: 1.1\n");
  writeFileSync(`${path}/manifest.json`, document.bytes);
  for (const [digest, bytes] of document.blobs)
    writeFileSync(`${path}/${digest.slice("sha256:".length)}`, bytes);
  return `dir:${path}`;
}

/** Every row has layers of its own: what the registry has in another compression would be left as it is. */
const skopeo = (compression: LayerCompression, ...options: string[]): RegistryRow["put"] => {
  return (peers, target) => {
    const source = layoutOf(peers, sourceImage({ compression, salt: `${compression} ${options.join()}` }));
    return peers.copy(source, `docker://${target}`, options);
  };
};

const OTHER = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";
/** busybox is this machine's in both. */
const bothPlatforms = (salt: string): readonly BuiltImage[] => [
  sourceImage({ salt, architecture: OTHER }),
  sourceImage({ salt }),
];
const index = (): BuiltDocument => buildIndex({ images: bothPlatforms("index") });

const skopeoRows: readonly RegistryRow[] = [
  {
    what: "skopeo copy --format=oci, gzip",
    needs: [],
    layers: OCI_GZIP,
    put: skopeo("none", "--format=oci"),
  },
  {
    what: "skopeo copy --format=v2s2, gzip",
    needs: [],
    layers: DOCKER_GZIP,
    put: skopeo("gzip", "--format=v2s2"),
  },
  {
    what: "skopeo copy --format=oci, zstd",
    needs: [],
    layers: OCI_ZSTD,
    put: skopeo("none", "--format=oci", "--dest-compress", "--dest-compress-format=zstd"),
  },
  {
    what: "skopeo copy --format=v2s2, zstd",
    needs: [],
    layers: OCI_ZSTD,
    cannot: "skopeo has no name for zstd among Docker's media types",
    put: skopeo("none", "--format=v2s2", "--dest-compress", "--dest-compress-format=zstd"),
  },
  {
    what: "skopeo copy --preserve-digests, OCI, not compressed",
    needs: [],
    layers: OCI_PLAIN,
    put: skopeo("none", "--preserve-digests"),
  },
  {
    what: "skopeo copy --preserve-digests, OCI, zstd",
    needs: [],
    layers: OCI_ZSTD,
    put: skopeo("zstd", "--preserve-digests"),
  },
  {
    what: "skopeo copy --preserve-digests, Docker's, not compressed",
    needs: [],
    layers: /^application\/vnd\.docker\.image\.rootfs\.diff\.tar$/,
    put: (peers, target) => {
      const source = directoryOf(peers, sourceImage({ compression: "none", flavour: "docker" }));
      return peers.copy(source, `docker://${target}`, ["--preserve-digests"]);
    },
  },
  {
    what: "skopeo copy --all, an index",
    needs: [],
    other: `linux/${OTHER}`,
    layers: OCI_GZIP,
    put: (peers, target) => peers.copy(layoutOf(peers, index()), `docker://${target}`, ["--all"]),
  },
];

const buildahPush = (format: string, compression: string, make: (peers: Peers) => Promise<string>) => {
  return async (peers: Peers, target: string): Promise<void> => {
    const image = await make(peers);
    const policy = ["--signature-policy", `${peers.directory}/policy.json`, "--tls-verify=false"];
    const how = ["--format", format, "--compression-format", compression];
    await peers.buildah("push", "-q", ...policy, ...how, image, `docker://${target}`);
  };
};

/** A container of the source, a change in it, and a commit of that: a layer more. */
async function commit(peers: Peers, format: string): Promise<string> {
  const policy = ["--signature-policy", `${peers.directory}/policy.json`];
  const source = layoutOf(peers, sourceImage({ salt: `commit ${format}` }));
  const container = (await peers.buildah("from", ...policy, source)).trim();
  const mounted = (await peers.buildah("mount", container)).trim();
  await peers.shell(`echo more >${mounted}/srv/more; rm ${mounted}/srv/pipe`);
  const image = `committed-${format}`;
  await peers.buildah("commit", "-q", ...policy, "--format", format, container, image);
  await peers.buildah("umount", container);
  return image;
}

/** A Containerfile of several steps, each a layer. */
async function build(peers: Peers, format: string): Promise<string> {
  const context = peers.path("context");
  const from = layoutOf(peers, sourceImage({ salt: `bud ${format}` }));
  const steps = [
    `FROM ${from}`,
    "COPY one /one",
    "RUN echo two >/two && rm /srv/large",
    "LABEL three=3",
    "COPY one /four",
  ];
  await peers.shell(
    `mkdir ${context}; echo one >${context}/one; cat >${context}/Containerfile <<'END'\n${steps.join("\n")}\nEND`,
  );
  const policy = ["--signature-policy", `${peers.directory}/policy.json`];
  const image = `built-${format}`;
  const how = ["--isolation=chroot", "--layers", "--format", format, "-t", image];
  await peers.buildah("bud", "-q", ...policy, ...how, context);
  return image;
}

const BUILDAH: readonly Need[] = ["program buildah"];
const buildahRows: readonly RegistryRow[] = [
  {
    what: "buildah commit and push, OCI, gzip",
    needs: BUILDAH,
    layers: OCI_GZIP,
    put: buildahPush("oci", "gzip", (peers) => commit(peers, "oci")),
  },
  {
    what: "buildah commit and push, Docker's, gzip",
    needs: BUILDAH,
    layers: DOCKER_GZIP,
    put: buildahPush("docker", "gzip", (peers) => commit(peers, "docker")),
  },
  {
    what: "buildah bud --layers and push, OCI, zstd",
    needs: BUILDAH,
    layers: OCI_ZSTD,
    put: buildahPush("oci", "zstd", (peers) => build(peers, "oci")),
  },
  {
    what: "buildah bud --layers and push, Docker's, gzip",
    needs: BUILDAH,
    layers: DOCKER_GZIP,
    put: buildahPush("docker", "gzip", (peers) => build(peers, "docker")),
  },
];

const podmanPush = (...options: string[]): RegistryRow["put"] => {
  return async (peers, target) => {
    const source = layoutOf(peers, sourceImage({ salt: options.join() }));
    const id = (await peers.podman("pull", "-q", source)).trim();
    await peers.podman("push", "-q", "--tls-verify=false", ...options, id, `docker://${target}`);
  };
};

const PODMAN: readonly Need[] = ["program podman"];
const podmanRows: readonly RegistryRow[] = [
  {
    what: "podman push --format=oci, gzip",
    needs: PODMAN,
    layers: OCI_GZIP,
    put: podmanPush("--format=oci"),
  },
  {
    what: "podman push --format=v2s2, gzip",
    needs: PODMAN,
    layers: DOCKER_GZIP,
    put: podmanPush("--format=v2s2"),
  },
  {
    what: "podman push --compression-format=zstd",
    needs: PODMAN,
    layers: OCI_ZSTD,
    put: podmanPush("--format=oci", "--compression-format=zstd"),
  },
  {
    what: "podman manifest push --all, two platforms",
    needs: PODMAN,
    other: `linux/${OTHER}`,
    layers: OCI_GZIP,
    put: async (peers, target) => {
      const list = `list-${target.split("/").at(-1)?.replaceAll(/\W/g, "-")}`;
      await peers.podman("manifest", "create", list);
      for (const image of bothPlatforms("list")) {
        await peers.podman("manifest", "add", list, layoutOf(peers, image));
      }
      await peers.podman("manifest", "push", "-q", "--all", "--tls-verify=false", list, `docker://${target}`);
    },
  },
];

const DOCKER: readonly Need[] = ["docker engine"];
const dockerRows: readonly RegistryRow[] = [
  {
    what: "docker load, tag and push",
    needs: DOCKER,
    layers: DOCKER_GZIP,
    put: async (peers, target) => {
      const archive = peers.path("loaded.tar");
      await peers.copy(layoutOf(peers, sourceImage()), `docker-archive:${archive}:${target}`);
      await peers.docker("load", "-q", "-i", archive);
      await peers.docker("push", "-q", target);
    },
  },
  {
    what: "docker pull, commit and push",
    needs: DOCKER,
    layers: DOCKER_GZIP,
    put: async (peers, target) => {
      await peers.copy(layoutOf(peers, sourceImage()), `docker://${target}-base`);
      await peers.docker("pull", "-q", `${target}-base`);
      const id = (await peers.docker("create", "--network=none", `${target}-base`)).trim();
      await peers.docker("cp", "/etc/hostname", `${id}:/srv/more`);
      await peers.docker("commit", id, target);
      await peers.docker("rm", id);
      await peers.docker("push", "-q", target);
    },
  },
];

/** All of them. */
export const registryRows: readonly RegistryRow[] = [
  ...skopeoRows,
  ...buildahRows,
  ...podmanRows,
  ...dockerRows,
];
