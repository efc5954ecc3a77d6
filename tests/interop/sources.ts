/** The image that goes round: busybox, and one of everything that a layer can hold, in three layers. */
import {
  type BuiltImage,
  buildImage,
  type ImageFlavour,
  type LayerCompression,
  type LayerSpec,
} from "../helpers/image_builder.ts";
import { noise } from "../helpers/registry_fixture.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { baseLayer } from "../kernel/run/app.ts";

/** A v2 capability set: cap_net_bind_service, effective. */
const NET_BIND = Buffer.from("0100000200040000000000000000000000000000", "hex");
const OWNER = { uid: 1000, gid: 1001 };

const special: readonly TarEntry[] = [
  { name: "srv/", mode: 0o2775, ...OWNER },
  { name: "srv/file", data: "owned\n", mode: 0o640, ...OWNER, mtime: 1_234_567_890 },
  { name: "srv/again", type: "hardlink", link: "srv/file", mode: 0o640, ...OWNER, mtime: 1_234_567_890 },
  { name: "srv/link", type: "symlink", link: "../etc/passwd", uid: 7, gid: 8 },
  { name: "srv/su", data: "su", mode: 0o4755 },
  { name: "srv/ping", data: "ping", mode: 0o755, xattrs: { "security.capability": NET_BIND } },
  { name: "srv/sticky/", mode: 0o1777 },
  { name: "srv/null", type: "char", major: 1, minor: 3, mode: 0o666 },
  { name: "srv/pipe", type: "fifo", mode: 0o600, uid: 12 },
  { name: "srv/new\nline", data: "x" },
  { name: "srv/large", data: noise(1_500_000) },
  { name: "srv/gone", data: "gone" },
];
const upper: readonly TarEntry[] = [
  { name: "srv/", mode: 0o2775, ...OWNER },
  { name: "srv/.wh.gone" },
  { name: "srv/su", data: "changed", mode: 0o700 },
];

/** What a container of the image prints, as proof that it was started: an owner, a content, and a name that is gone. */
const SCRIPT = "stat -c '%u:%g %a' /srv/file; cat /srv/again; ls /srv/gone 2>/dev/null; echo $?";
export const MARKER = "1000:1001 640\nowned\n1\n";

/** How the image is made; defaults in brackets. */
export interface SourceOptions {
  /** [gzip] */
  readonly compression?: LayerCompression;
  /** [oci] */
  readonly flavour?: ImageFlavour;
  /** [this machine's] */
  readonly architecture?: string;
  /** Makes every layer one that no registry has seen [""]. */
  readonly salt?: string;
}

/** Builds the image; equal options give equal digests. */
export function sourceImage(options: SourceOptions = {}): BuiltImage {
  const { compression = "gzip", flavour = "oci", architecture, salt = "" } = options;
  const layers = [baseLayer().entries ?? [], special, upper];
  const salted = layers.map((entries, at): LayerSpec => {
    const extra = salt === "" ? [] : [{ name: `salt-${at}`, data: salt }];
    return { entries: [...entries, ...extra], compression };
  });
  return buildImage({
    flavour,
    layers: salted,
    config: { Cmd: ["/bin/sh", "-c", SCRIPT], Env: ["PATH=/bin"], Labels: { proof: "interop" } },
    ...(architecture === undefined ? {} : { platform: { os: "linux", architecture } }),
  });
}
