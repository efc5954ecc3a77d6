/** Archives between bunker, podman and umoci: ids and layers are equal on both sides. */
import { describe, expect } from "bun:test";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const image = buildImage({
  layers: [{ entries: [{ name: "a", data: "a" }] }, { entries: [{ name: "b", data: "b" }] }],
});
const images = { "app:latest": image };
const NAME = "localhost/app:7";
/** podman starts in a second or two. */
const PEER_MS_MAX = 60_000;

describe("an archive of bunker save", () => {
  kernelTest(
    "is loaded by podman, and what podman saves of it, bunker loads, in both forms",
    [...PULL_NEEDS, "program podman"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull();
      await place.bunker(["tag", place.name(), NAME]);
      const [saved, storage] = [`${sandbox.directory}/saved.tar`, `${sandbox.directory}/podman`];
      const podman = ["podman", "--root", storage, "--runroot", `${storage}-run`, "--storage-driver", "vfs"];
      await place.bunker(["save", "-o", saved, NAME]);

      await Bun.$`${podman} load -i ${saved}`.quiet();
      const id = await Bun.$`${podman} image inspect --format {{.Id}} ${NAME}`.quiet();

      expect(`sha256:${id.stdout.toString()}`).toBe(`${image.configDigest}\n`);
      for (const format of ["docker-archive", "oci-archive"]) {
        const archive = `${sandbox.directory}/${format}.tar`;
        await Bun.$`${podman} save --format ${format} -o ${archive} ${NAME}`.quiet();
        await place.bunker(["image", "prune", "-af"]);
        const loaded = await place.bunker(["load", "-i", archive]);
        expect(loaded).toMatchObject({ exitCode: 0, stdout: `Loaded image: ${NAME}\n`, stderr: "" });
        const inspected = await place.bunker(["inspect", "-f", "{{.Id}}", NAME]);
        expect(inspected.stdout).toBe(`${image.configDigest}\n`);
      }
    },
    PEER_MS_MAX,
  );

  kernelTest("is a layout that umoci unpacks", [...PULL_NEEDS, "program umoci"], async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull();
    await place.bunker(["tag", place.name(), NAME]);
    const [saved, layout] = [`${sandbox.directory}/saved.tar`, `${sandbox.directory}/layout`];
    await place.bunker(["save", "-o", saved, NAME]);
    await Bun.$`mkdir ${layout} && tar xf ${saved} -C ${layout}`.quiet();

    await Bun.$`umoci unpack --image ${layout}:7 ${sandbox.directory}/bundle`.quiet();

    expect(await Bun.file(`${sandbox.directory}/bundle/rootfs/a`).text()).toBe("a");
    expect(await Bun.file(`${sandbox.directory}/bundle/rootfs/b`).text()).toBe("b");
  });
});
