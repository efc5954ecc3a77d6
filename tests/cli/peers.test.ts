/**
 * Images from real peers: Debian's docker-registry, plain and with tokens, filled by skopeo and buildah. What bunker makes of
 * them is compared with what umoci unpacks, and run.
 */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { flattenLayers } from "../../src/fs/copy_tree.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { findImage } from "../../src/store/find_image.ts";
import { Buildah } from "../helpers/buildah.ts";
import { type DockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import {
  type BuiltDocument,
  type BuiltImage,
  buildImage,
  buildIndex,
  hostPlatform,
} from "../helpers/image_builder.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import type { PipedResult } from "../helpers/pipes.ts";
import { PULL_NEEDS } from "../helpers/pull_place.ts";
import { noise } from "../helpers/registry_fixture.ts";
import type { Need } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { buildTar, type TarEntry } from "../helpers/tar_builder.ts";
import { snapshotTree, type TreeSnapshot } from "../helpers/tree_snapshot.ts";
import { baseLayer } from "../kernel/run/app.ts";

const NEEDS: readonly Need[] = [
  ...PULL_NEEDS,
  "program docker-registry",
  "program skopeo",
  "program openssl",
];
const UMOCI: readonly Need[] = [...NEEDS, "program umoci"];
const TEST_MS_MAX = 60_000;

const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";

/** A v2 capability set: cap_net_bind_service, effective. */
const NET_BIND = Buffer.from("0100000200040000000000000000000000000000", "hex");
const OTHER = hostPlatform().architecture === "arm64" ? "amd64" : "arm64";

/** One of everything that an image can hold, above a base with busybox. */
const special: readonly TarEntry[] = [
  { name: "srv/", mode: 0o2775, uid: 1000, gid: 1001 },
  { name: "srv/file", data: "owned\n", mode: 0o640, uid: 1000, gid: 1001, mtime: 1_234_567_890 },
  {
    name: "srv/again",
    type: "hardlink",
    link: "srv/file",
    mode: 0o640,
    uid: 1000,
    gid: 1001,
    mtime: 1_234_567_890,
  },
  { name: "srv/link", type: "symlink", link: "../etc/passwd", uid: 7, gid: 8 },
  { name: "srv/su", data: "su", mode: 0o4755 },
  { name: "srv/wall", data: "wall", mode: 0o2755, gid: 5 },
  { name: "srv/ping", data: "ping", mode: 0o755, xattrs: { "security.capability": NET_BIND } },
  { name: "srv/note", data: "n", xattrs: { "user.note": "two\nlines" } },
  { name: "srv/sticky/", mode: 0o1777 },
  { name: "srv/closed/", mode: 0o000 },
  { name: "srv/null", type: "char", major: 1, minor: 3, mode: 0o666 },
  { name: "srv/loop", type: "block", major: 7, minor: 300, mode: 0o660, gid: 6 },
  { name: "srv/pipe", type: "fifo", mode: 0o600, uid: 12 },
  { name: "srv/new\nline", data: "x" },
  { name: "srv/large", data: noise(1_500_000) },
  { name: "srv/gone", data: "gone" },
];
const upper: readonly TarEntry[] = [
  { name: "srv/", mode: 0o2775, uid: 1000, gid: 1001 },
  { name: "srv/.wh.gone" },
  { name: "srv/su", data: "changed", mode: 0o700 },
];
const everything = buildImage({
  layers: [baseLayer(), { entries: special }, { entries: upper }],
  config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] },
});
/** What proves that the image was started: owner and content of a file, and that another is gone. */
const SCRIPT = "stat -c '%u:%g %a' /srv/file; cat /srv/again; ls /srv/gone 2>&1; echo $?";
const OUTPUT = "1000:1001 640\nowned\nls: /srv/gone: No such file or directory\n1\n";

describe("an image that skopeo has pushed to docker-registry", () => {
  const forms: ReadonlyArray<readonly [what: string, type: string, options: readonly string[]]> = [
    ["gzip, OCI media types", `${OCI_LAYER}+gzip`, ["--format=oci"]],
    ["zstd, OCI media types", `${OCI_LAYER}+zstd`, ["--format=oci", "--dest-compress-format=zstd"]],
    ["gzip, Docker's media types", `${DOCKER_LAYER}.gzip`, ["--format=v2s2"]],
  ];
  for (const [what, type, options] of forms) {
    kernelTest(
      `equals what umoci unpacks and runs: ${what}`,
      UMOCI,
      async (sandbox) => {
        await using registry = await startDockerRegistry();
        await registry.push("app:latest", everything, ["--dest-compress", ...options]);
        expect(await layerTypesOf(registry)).toEqual([type, type, type]);
        const place = new PeerPlace(sandbox, registry);

        const pulled = await place.bunker(["pull", "-q", place.name]);
        const run = await place.bunker(["run", place.name, "sh", "-c", SCRIPT]);

        expect(pulled).toMatchObject({ exitCode: 0, stdout: `${place.name}:latest\n`, stderr: "" });
        expect(place.tree()).toEqual(place.unpackedByUmoci(everything));
        expect(run).toMatchObject({ exitCode: 0, stdout: OUTPUT, stderr: "" });
      },
      TEST_MS_MAX,
    );
  }

  kernelTest(
    "is pulled and run where anyone gets a token",
    UMOCI,
    async (sandbox) => {
      await using registry = await startDockerRegistry({ auth: "token" });
      await registry.push("app:latest", everything);
      const place = new PeerPlace(sandbox, registry);

      const run = await place.bunker(["run", "-q", place.name, "sh", "-c", SCRIPT]);

      expect(run).toMatchObject({ exitCode: 0, stdout: OUTPUT, stderr: "" });
      expect(place.tree()).toEqual(place.unpackedByUmoci(everything));
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "is pulled for the platform that is asked for, from an index",
    NEEDS,
    async (sandbox) => {
      const image = (architecture: string): BuiltImage =>
        buildImage({
          layers: [baseLayer(), { entries: [{ name: "platform", data: `${architecture}\n` }] }],
          platform: { os: "linux", architecture },
          config: { Cmd: ["/bin/cat", "/platform"] },
        });
      const own = hostPlatform().architecture;
      const index = buildIndex({ images: [image(own), image(OTHER)] });
      await using registry = await startDockerRegistry();
      await registry.push("app:latest", index);
      const place = new PeerPlace(sandbox, registry);

      const here = await place.bunker(["run", "-q", place.name]);
      const there = await place.bunker(["pull", "-q", "--platform", `linux/${OTHER}`, place.name]);
      const platforms = await place.bunker(["images", "--json"]);

      // busybox is this machine's in both, so that the other image, too, can show what it is.
      const other = await place.bunker(["run", "--pull=never", "--platform", `linux/${OTHER}`, place.name]);
      expect([here.stdout, there.exitCode, other.stdout]).toEqual([`${own}\n`, 0, `${OTHER}\n`]);
      const listed = JSON.parse(platforms.stdout) as readonly { readonly platform: string }[];
      expect(listed.map(({ platform }) => platform).sort()).toEqual(["linux/amd64", "linux/arm64"]);
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "is not pulled without the right to, and one message says so",
    NEEDS,
    async (sandbox) => {
      await using registry = await startDockerRegistry({ auth: "token", private: ["secret"] });
      await registry.push("secret:latest", everything);
      const place = new PeerPlace(sandbox, registry, "secret");

      const { exitCode, stdout, stderr } = await place.bunker(["pull", "-q", place.name]);

      expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
      expect(stderr).toMatch(/^bunker: Cannot pull image .* only members may pull it[^\n]*\nhint: [^\n]*\n$/);
    },
    TEST_MS_MAX,
  );
});

describe("an image that buildah has made and pushed", () => {
  const forms = [
    { format: "oci", compression: "gzip" },
    { format: "docker", compression: "gzip" },
    { format: "oci", compression: "zstd" },
  ] as const;
  for (const form of forms) {
    kernelTest(
      `equals its source and runs: ${form.format}, ${form.compression}`,
      [...UMOCI, "program buildah"],
      async (sandbox) => {
        await using registry = await startDockerRegistry();
        const place = new PeerPlace(sandbox, registry);
        using buildah = new Buildah(`${sandbox.directory}/buildah`);
        const layers = [baseLayer().entries ?? [], special.filter(({ name }) => name !== "srv/gone")];
        for (const entries of layers) extract(buildah.mount, buildTar(entries));
        buildah.push(`${place.name}:latest`, form);
        const type = form.format === "oci" ? `${OCI_LAYER}+${form.compression}` : `${DOCKER_LAYER}.gzip`;
        expect(await layerTypesOf(registry)).toEqual([type]);

        const run = await place.bunker(["run", "-q", place.name, "sh", "-c", SCRIPT]);

        expect(run).toMatchObject({ exitCode: 0, stdout: OUTPUT, stderr: "" });
        const expected = comparable(buildah.mount);
        expect(place.tree()).toEqual(expected);
        expect(expected["srv/ping"]?.xattrs).toEqual([`security.capability=${NET_BIND.toString("hex")}`]);
        if (form.compression === "gzip") expect(await place.pulledAndUnpackedByUmoci()).toEqual(expected);
      },
      TEST_MS_MAX,
    );
  }
});

/** bunker with a peer's registry, which stands for Docker Hub, too. */
class PeerPlace {
  readonly #sandbox: Sandbox;
  readonly #config: string;
  readonly name: string;

  constructor(sandbox: Sandbox, { host, url }: DockerRegistry, image = "app") {
    this.#sandbox = sandbox;
    this.name = `${host}/${image}`;
    this.#config = `${sandbox.directory}/config.json`;
    writeFileSync(this.#config, JSON.stringify({ registries: { "docker.io": { mirrors: [url] } } }));
  }

  bunker(args: readonly string[]): Promise<PipedResult> {
    return this.#sandbox.bunker(args, { env: { BUNKER_CONFIG: this.#config } });
  }

  /** What a container of the pulled image sees as its root. */
  tree(): TreeSnapshot {
    const { root, directory } = this.#sandbox;
    const image = findImage(root, parseReference(this.name));
    if (image === undefined) throw new Error(`"${this.name}" is not in the store`);
    const layers = image.layers.map((layer) => `${root}/${layer}`);
    flattenLayers(layers, `${directory}/pulled`, { whiteouts: "trusted" });
    return comparable(`${directory}/pulled`);
  }

  /** What umoci makes of the image as it was before a peer had it: umoci reads gzip only. */
  unpackedByUmoci(image: BuiltDocument): TreeSnapshot {
    writeOciLayout(`${this.#sandbox.directory}/layout`, { latest: image });
    return this.#umoci();
  }

  /** What umoci makes of what skopeo gets from the registry. */
  async pulledAndUnpackedByUmoci(): Promise<TreeSnapshot> {
    const target = `oci:${this.#sandbox.directory}/layout:latest`;
    const source = ["--src-tls-verify=false", `docker://${this.name}`];
    await Bun.$`skopeo copy --insecure-policy ${source} ${target}`.quiet();
    return this.#umoci();
  }

  #umoci(): TreeSnapshot {
    const { directory } = this.#sandbox;
    const command = ["umoci", "raw", "unpack", "--image", `${directory}/layout:latest`, `${directory}/umoci`];
    const { exitCode, stderr } = Bun.spawnSync(command, { stderr: "pipe" });
    if (exitCode !== 0) throw new Error(`umoci failed: ${stderr.toString()}`);
    return comparable(`${directory}/umoci`);
  }
}

/** Media types of the layers of `app`: peers may keep a layer as it is, whatever they were asked for. */
async function layerTypesOf({ url }: DockerRegistry): Promise<readonly string[]> {
  const manifests = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ];
  const reply = await fetch(`${url}/v2/app/manifests/latest`, { headers: { Accept: manifests.join() } });
  const { layers } = (await reply.json()) as { readonly layers: readonly { readonly mediaType: string }[] };
  return layers.map(({ mediaType }) => mediaType);
}

/** Peers give a directory that a later entry changes different times. */
function comparable(root: string): TreeSnapshot {
  return snapshotTree(root, (path, { type }) => {
    if (path === ".") return undefined;
    return type === "directory" ? { mtime: "" } : {};
  });
}

function extract(directory: string, archive: Uint8Array): void {
  const flags = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", "-"];
  const { exitCode, stderr } = Bun.spawnSync(["tar", "-C", directory, ...flags], {
    stdin: archive,
    stderr: "pipe",
  });
  if (exitCode !== 0) throw new Error(`tar failed: ${stderr.toString()}`);
}
