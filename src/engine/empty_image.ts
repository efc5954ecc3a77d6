/** An image of nothing: the root of a container in challenge mode whose image cannot be pulled (ADR 0007). */
import type { Digest } from "../oci/digest.ts";
import { hostPlatform } from "../oci/platform.ts";
import type { StoredImage } from "../store/find_image.ts";

/** sha256 of no bytes. */
const NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" as Digest;

/** No layers, no command, root. */
export const emptyImage: StoredImage = {
  reference: "",
  manifestDigest: NOTHING,
  manifestMediaType: "",
  targetDigest: NOTHING,
  imageId: NOTHING,
  layers: [],
  overlayXattrs: "trusted",
  config: {
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: "",
    user: "",
    stopSignal: "",
    volumes: [],
    exposedPorts: [],
    labels: {},
  },
  ...hostPlatform(),
  storedAt: "",
  sizeBytes: 0,
};
