/** Changing the limits of a group that runs: all of what is asked, or nothing. */
import type { Resources } from "../../oci/bundle/config.ts";
import { CgroupError } from "./cgroup_error.ts";
import { readControlFile, tryWriteControlFile, writeSettings } from "./control_file.ts";
import type { CgroupPlace } from "./place.ts";
import type { Setting } from "./settings.ts";

/**
 * Sets what `resources` has; the rest stays. After a refusal the values from before are written back.
 * @throws {CgroupError} that names the member of `linux.resources`
 */
export async function applyResources(
  place: CgroupPlace,
  resources: Resources,
  { rootless }: { readonly rootless: boolean },
): Promise<void> {
  if (place.version === 0) throw new CgroupError("Cannot update the container: it has no control group");
  const settings =
    place.version === 2
      ? await changesV2(place, resources)
      : (await import("./maker_v1.ts")).changesV1(resources, rootless);
  const directoryOf = (controller: string): string | undefined =>
    place.directories[place.version === 2 ? "" : controller];
  if (place.unit !== undefined) (await import("./systemd/unit.ts")).updateUnit(place, resources);
  const before = rememberValues(settings, directoryOf);
  try {
    writeSettings(settings, directoryOf);
    if (place.version === 2 && resources.devices !== undefined && !rootless) {
      const { setDeviceRules } = await import("./devices_v2.ts");
      const { deviceRules } = await import("./device_rules.ts");
      setDeviceRules(directoryOf("devices") as string, deviceRules(resources));
    }
  } catch (error) {
    restoreValues(before);
    throw error;
  }
}

async function changesV2(place: CgroupPlace, resources: Resources): Promise<Setting[]> {
  const { settingsV2 } = await import("./settings_v2.ts");
  const read = (file: string) => readControlFile(`${place.directories[""]}/${file}`)?.trim();
  const [cpuMax, memoryMax, memoryCurrent] = ["cpu.max", "memory.max", "memory.current"].map(read);
  return settingsV2(resources, {
    ...(cpuMax === undefined ? {} : { cpuMax }),
    ...(memoryMax === undefined ? {} : { memoryMax }),
    ...(memoryCurrent === undefined ? {} : { memoryCurrent: Number(memoryCurrent) }),
  });
}

/** Path and value of each file that holds one line: tables of devices are not put back. */
function rememberValues(
  settings: readonly Setting[],
  directoryOf: (controller: string) => string | undefined,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const { controller, file } of settings) {
    const directory = directoryOf(controller);
    const path = `${directory}/${file}`;
    if (directory === undefined || values.has(path) || controller === "devices") continue;
    const value = tryRead(path)?.trim();
    if (value !== undefined && value !== "" && !value.includes("\n")) values.set(path, value);
  }
  return values;
}

/** Files of devices can only be written. */
function tryRead(path: string): string | undefined {
  try {
    return readControlFile(path);
  } catch {
    // What cannot be read is not put back; writing it decides.
    return undefined;
  }
}

/** In both directions, since limits depend on each other; what does not fit at first does at last. */
function restoreValues(values: ReadonlyMap<string, string>): void {
  const entries = [...values];
  for (const [path, value] of [...entries.toReversed(), ...entries]) tryWriteControlFile(path, value);
}
