import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { flattenLayers } from "../../../src/fs/copy_tree.ts";
import { buildImage, type LayerCompression } from "../../helpers/image_builder.ts";
import { LayerSandbox, layerForms } from "../../helpers/layer_sandbox.ts";
import { writeOciLayout } from "../../helpers/oci_layout.ts";
import { titleOf, whyMissing } from "../../helpers/requires.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { type NodeSnapshot, snapshotTree, type TreeSnapshot } from "../../helpers/tree_snapshot.ts";

const noUmoci = whyMissing(["program umoci"]);

/** A v2 capability set: cap_net_bind_service, effective. */
const NET_BIND = Buffer.from("0100000200040000000000000000000000000000", "hex");

const base: readonly TarEntry[] = [
  { name: "./", mode: 0o755, mtime: 1_600_000_000 },
  { name: "bin/", mode: 0o755, mtime: "1600000001.5" },
  { name: "bin/sh", data: "shell", mode: 0o755, mtime: "1600000002.123456789" },
  { name: "bin/su", data: "su", mode: 0o4755 },
  { name: "bin/wall", data: "wall", mode: 0o2755, gid: 5 },
  { name: "bin/hard", type: "hardlink", link: "bin/sh", mode: 0o755, mtime: "1600000002.123456789" },
  { name: "bin/link", type: "symlink", link: "/usr/../bin/sh", uid: 7, gid: 8, mtime: 1_500_000_000 },
  { name: "bin/ping", data: "ping", mode: 0o755, uid: 3, xattrs: { "security.capability": NET_BIND } },
  { name: "tmp/", mode: 0o1777, mtime: 1_400_000_000 },
  { name: "srv/", mode: 0o2775, uid: 1000, gid: 1001 },
  { name: "srv/group", data: "x", uid: 1000, gid: 1001 },
  { name: "srv/sub/", mode: 0o750, uid: 1000, gid: 1001 },
  { name: "closed/", mode: 0o000, mtime: 12345 },
  { name: "closed/file", data: "inside", mode: 0o000 },
  { name: "dev/", mode: 0o755 },
  { name: "dev/null", type: "char", major: 1, minor: 3, mode: 0o666 },
  { name: "dev/loop", type: "block", major: 7, minor: 300, mode: 0o660, gid: 6 },
  { name: "dev/pipe", type: "fifo", mode: 0o600, uid: 12 },
  { name: "etc/", mode: 0o755 },
  { name: "etc/attr", data: "a", xattrs: { "user.note": "line\nbreak\0nul", "user.other": "ü" } },
  { name: "etc/attrs/", mode: 0o755, xattrs: { "user.dir": "d" } },
  { name: "etc/empty", data: "" },
  { name: "etc/old", data: "old" },
  { name: "etc/gone", data: "gone" },
  { name: "etc/dir/", mode: 0o700 },
  { name: "etc/dir/one", data: "1" },
  { name: "etc/dir/two", data: "2" },
  { name: "high", data: "h", uid: 2_000_000, gid: 2_000_001 },
  { name: `long/`, mode: 0o755 },
  { name: `long/${"n".repeat(200)}`, data: "long name" },
  { name: Buffer.from("long/\xff\xfe binary", "latin1"), data: "bytes" },
  { name: "long/new\nline", data: "nl" },
  { name: "sparse", sparse: sparseFile() },
];

const upper: readonly TarEntry[] = [
  { name: "etc/", mode: 0o711, mtime: 1_700_000_001 },
  { name: "etc/.wh.gone", data: "" },
  { name: "etc/old", data: "new", mode: 0o600 },
  { name: "etc/dir/", mode: 0o755 },
  { name: "etc/dir/.wh..wh..opq", data: "" },
  { name: "etc/dir/three", data: "3" },
  { name: "bin/", mode: 0o755, mtime: "1600000001.5" },
  { name: "bin/link", data: "a file where a link was" },
  { name: "srv/", mode: 0o2775, uid: 1000, gid: 1001 },
  { name: "srv/sub", type: "symlink", link: "elsewhere" },
];

describe.each([...layerForms])("a merged image of form %s equals what umoci unpacks", (form, noForm) => {
  const missing = noForm ?? noUmoci;
  const title = (text: string): string => titleOf(text, missing);

  const cases: ReadonlyArray<readonly [string, LayerCompression]> = [
    ["gzip", "gzip"],
    ["no compression", "none"],
  ];
  test.skipIf(missing !== undefined).each(cases)(title("file by file, with %s"), async (_, compression) => {
    using sandbox = new LayerSandbox(form);
    const image = buildImage({
      layers: [base, upper].map((entries) => ({ entries, compression })),
    });
    const merged = `${sandbox.path}/merged`;

    flattenLayers(sandbox.unpackAll([base, upper]), merged, { whiteouts: "trusted" });

    const expected = comparable(await unpackByUmoci(sandbox.path, image));
    expect(comparable(merged)).toEqual(expected);
    expect(expected["bin/ping"]?.xattrs).toEqual([`security.capability=${NET_BIND.toString("hex")}`]);
  });

  test.skipIf(missing !== undefined)(title("with the times of directories, for one layer"), async () => {
    using sandbox = new LayerSandbox(form);
    const image = buildImage({ layers: [{ entries: base }] });

    const { path } = sandbox.unpack(base);

    expect(snapshotTree(path)).toEqual(snapshotTree(await unpackByUmoci(sandbox.path, image)));
  });
});

async function unpackByUmoci(directory: string, image: ReturnType<typeof buildImage>): Promise<string> {
  const work = mkdtempSync(`${tmpdir()}/bunker-umoci-`);
  writeOciLayout(`${work}/layout`, { latest: image });
  await Bun.$`umoci raw unpack --image ${work}/layout:latest ${directory}/umoci`.quiet();
  rmSync(work, { recursive: true });
  return `${directory}/umoci`;
}

/** umoci leaves the times of directories that it changed later as they came. */
function comparable(root: string): TreeSnapshot {
  return snapshotTree(root, (_: string, { type }: NodeSnapshot) =>
    type === "directory" ? { mtime: "" } : {},
  );
}

function sparseFile(): NonNullable<TarEntry["sparse"]> {
  return { form: "pax-1.0", realSize: 1_000_000, segments: [{ offset: 4096, data: "island" }] };
}
