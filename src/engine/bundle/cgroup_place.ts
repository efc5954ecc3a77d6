/** Where the control group of a bundle's container is to be. */
import { type CgroupPlace, locateCgroup } from "../../runtime/cgroup/place.ts";
import type { Bundle } from "./bundle.ts";
import type { RuntimeContext } from "./context.ts";

/** Finds the place; nothing is made. @throws {CgroupError} for a path that the manager cannot use. */
export function cgroupPlaceOf(id: string, { config }: Bundle, context: RuntimeContext): CgroupPlace {
  const { cgroupsPath, namespaces = [] } = config.linux ?? {};
  return locateCgroup({
    id,
    cgroupsPath,
    manager: context.cgroupManager,
    rootless: context.rootless,
    ownNamespace: namespaces.some(({ type }) => type === "cgroup"),
  });
}
