/** What is made on version 2; one module to load, whose parts are needed together. */
import type { Resources } from "../../oci/bundle/config.ts";
import { deviceRules } from "./device_rules.ts";
import { setDeviceRules } from "./devices_v2.ts";
import type { GroupMaker, MakeOptions } from "./make.ts";
import { makeV2 } from "./make_v2.ts";
import { settingsV2 } from "./settings_v2.ts";

/** The maker of a new group. @throws {CgroupError} for what version 2 cannot do */
export async function makerV2(resources: Resources, { rootless, owner }: MakeOptions): Promise<GroupMaker> {
  const settings = settingsV2(resources);
  const rules = deviceRules(resources);
  const owned = owner !== undefined && owner !== process.geteuid?.();
  const delegateTo = owned ? (await import("./delegate.ts")).delegateTo : undefined;
  const finish = (directory: string) => {
    if (!rootless) setDeviceRules(directory, rules);
    if (owner !== undefined) delegateTo?.(directory, owner);
  };
  return (place, adopts) => makeV2(place, { settings, lenient: rootless, finish, adopts });
}
