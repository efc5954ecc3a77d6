/** What is made and changed on version 1; one module to load, whose parts are needed together. */
import type { Resources } from "../../oci/bundle/config.ts";
import { deviceRules } from "./device_rules.ts";
import { devicesV1 } from "./devices_v1.ts";
import type { GroupMaker, MakeOptions } from "./make.ts";
import { makeV1 } from "./make_v1.ts";
import type { Setting } from "./settings.ts";
import { settingsV1 } from "./settings_v1.ts";

/** The maker of a new group. @throws {CgroupError} for what version 1 cannot do */
export function makerV1(resources: Resources, { rootless }: MakeOptions): GroupMaker {
  // An ordinary user's devices are left to the user namespace.
  const devices = rootless ? [] : devicesV1(deviceRules(resources));
  const settings = [...settingsV1(resources), ...devices];
  return (place, adopts) => makeV1(place, { settings, lenient: rootless, adopts });
}

/** Settings of what changes: an absent device list stays as it is. @throws {CgroupError} */
export function changesV1(resources: Resources, rootless: boolean): Setting[] {
  const devices = resources.devices === undefined || rootless ? [] : devicesV1(deviceRules(resources));
  return [...settingsV1(resources), ...devices];
}
