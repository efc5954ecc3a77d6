import { describe, expect, test } from "bun:test";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { hasDockerRegistry, startDockerRegistry } from "../../helpers/docker_registry.ts";
import { buildImage } from "../../helpers/image_builder.ts";
import { isRoot, LayerSandbox } from "../../helpers/layer_sandbox.ts";
import { PullSandbox } from "../../helpers/pull_sandbox.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { snapshotTree } from "../../helpers/tree_snapshot.ts";

const canRun = isRoot && hasDockerRegistry;
const title = (text: string): string =>
  canRun ? text : `skipped: needs root, docker-registry, skopeo: ${text}`;

const lower: readonly TarEntry[] = [
  { name: "etc/", mode: 0o755 },
  { name: "etc/passwd", data: "root:x:0:0::/root:/bin/sh\n" },
  { name: "data", data: noise(2_000_000), uid: 1000, gid: 1000, mode: 0o640 },
];
const upper: readonly TarEntry[] = [{ name: "etc/.wh.passwd" }, { name: "etc/group", data: "root:x:0:\n" }];

describe("pullImage() from Debian's docker-registry", () => {
  const pushes: ReadonlyArray<readonly [string, readonly string[]]> = [
    ["gzip, OCI media types", ["--format=oci"]],
    ["gzip, Docker's media types", ["--format=v2s2"]],
    ["zstd", ["--format=oci", "--dest-compress-format=zstd", "--dest-compress"]],
  ];
  test.skipIf(!canRun).each(pushes)(title("unpacks what skopeo pushed as %s"), async (_, options) => {
    using sandbox = new LayerSandbox();
    await using registry = await startDockerRegistry();
    await registry.push(
      "app:latest",
      buildImage({ layers: [{ entries: lower }, { entries: upper }] }),
      options,
    );
    await using store = PullSandbox.serve({});

    const { image } = await store.pull({ reference: parseReference(`${registry.host}/app:latest`) });

    const [pulled, expected] = [`${sandbox.path}/pulled`, `${sandbox.path}/expected`];
    const layers = image.layers.map((layer) => `${store.root}/${layer}`);
    flattenLayers(layers, pulled, { whiteouts: "trusted" });
    flattenLayers(sandbox.unpackAll([lower, upper]), expected, { whiteouts: "trusted" });
    const withoutRoot = (path: string): object | undefined => (path === "." ? undefined : {});
    expect(snapshotTree(pulled, withoutRoot)).toEqual(snapshotTree(expected, withoutRoot));
  });
});
