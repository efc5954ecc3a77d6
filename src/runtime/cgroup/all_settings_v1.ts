/** Everything that is written into the hierarchies of version 1: limits, then device rules. */
import type { Resources } from "../../oci/bundle/config.ts";
import { deviceRules } from "./device_rules.ts";
import { devicesV1 } from "./devices_v1.ts";
import type { Setting } from "./settings.ts";
import { settingsV1 } from "./settings_v1.ts";

/** The settings in the order of their writing. For ordinary users devices are guarded by the user namespace. */
export const allSettingsV1 = (resources: Resources, rootless: boolean): Setting[] =>
  rootless ? settingsV1(resources) : [...settingsV1(resources), ...devicesV1(deviceRules(resources))];
