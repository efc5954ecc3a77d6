/** `linux.devices`: device nodes that the container finds (config-linux.md#devices). */

import type { Device } from "./config.ts";
import { idNumber } from "./numbers.ts";
import { major, minor } from "./resources.ts";
import { absolutePath, list, oneOf, record, whole } from "./schema.ts";

/** podman's --privileged names every device of the host. */
const DEVICES_MAX = 16_384;
/** Permissions and the type of a file: some callers hand on st_mode. */
const FILE_MODE_MAX = 0o177_777;
const PERMISSIONS = 0o7777;

/** config-linux.md#devices */
export const devices = list(
  record<Device & { fileMode?: number }>(
    "config-linux.md#devices",
    {
      type: oneOf("c", "b", "u", "p"),
      path: absolutePath,
      major,
      minor,
      fileMode: whole(0, FILE_MODE_MAX),
      uid: idNumber,
      gid: idNumber,
    },
    {
      required: ["type", "path"],
      rule(device, report) {
        if (device.fileMode !== undefined) device.fileMode &= PERMISSIONS;
        if (device.type === "p") return;
        for (const number of ["major", "minor"] as const) {
          if (device[number] === undefined) report(number, `a device of type ${device.type} needs it`);
        }
      },
    },
  ),
  DEVICES_MAX,
);
