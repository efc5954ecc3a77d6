/**
 * The unit of a container: a scope, which systemd makes around a process that is there already, and removes with its last
 * one. Its group is delegated: what is below it is the container's.
 */
import { call, cstr } from "../../../linux/call.ts";
import { readSmallText } from "../../../linux/small_file.ts";
import type { Resources } from "../../../oci/bundle/config.ts";
import { CgroupError } from "../cgroup_error.ts";
import { CGROUP_ROOT, parseCgroupFile } from "../hierarchies.ts";
import type { GroupMaker } from "../make.ts";
import type { CgroupPlace, SystemdUnit } from "../place.ts";
import { processesIn } from "../processes.ts";
import { annotatedProperties } from "./annotations.ts";
import { type Property, SystemdManager } from "./manager.ts";
import { limitProperties } from "./properties.ts";

/** What is put into the unit, and how its group is filled. */
export interface Admission {
  readonly pid: number;
  readonly resources: Resources;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly make: GroupMaker;
}

/**
 * Starts the unit with the process in it, then writes the limits.
 * @returns the place as it is
 * @throws {CgroupError | SyscallError}
 */
export function admitToUnit(
  place: CgroupPlace,
  { pid, resources, annotations, make }: Admission,
): CgroupPlace {
  const unit = place.unit as SystemdUnit;
  const count = processesIn(place).length;
  if (count > 0) {
    throw new CgroupError(`Cannot use the unit "${unit.name}": it is not empty, it has ${count} processes`);
  }
  // All properties are decided before systemd is asked.
  const properties = [
    ...unitProperties(unit, pid),
    ...limitProperties(resources, place.version === 2 ? 2 : 1),
    ...annotatedProperties(annotations),
  ];
  using manager = SystemdManager.connect(unit);
  manager.startTransientUnit(unit.name, properties);
  const group = make(actualPlace(place, pid), true);
  for (const fd of group.joinFds) {
    const text = cstr(String(pid));
    call("write", fd, text, text.length - 1);
    call("close", fd);
  }
  return group.place;
}

const isSlice = ({ name }: SystemdUnit): boolean => name.endsWith(".slice");
const flag = (name: string, value: boolean): Property => [name, { type: "b", value }];
const text = (name: string, value: string): Property => [name, { type: "s", value }];

/** Nothing that a unit of the system has by default: it ends when the container does, and not before. */
function unitProperties(unit: SystemdUnit, pid: number): Property[] {
  const kind: Property[] = isSlice(unit)
    ? [["Wants", { type: "as", value: [unit.slice] }]]
    : [text("Slice", unit.slice), flag("Delegate", true), ["PIDs", { type: "au", value: [pid] }]];
  return [
    text("Description", `bunker container ${unit.name}`),
    ...kind,
    flag("DefaultDependencies", false),
    flag("MemoryAccounting", true),
    flag("CPUAccounting", true),
    flag("IOAccounting", true),
    flag("TasksAccounting", true),
  ];
}

/** Where the process is: systemd itself may be in a group that is not the topmost one. */
function actualPlace(place: CgroupPlace, pid: number): CgroupPlace {
  if (place.version !== 2 || isSlice(place.unit as SystemdUnit)) return place;
  const path = parseCgroupFile(readSmallText(`/proc/${pid}/cgroup`) ?? "")[""];
  return path === undefined ? place : { ...place, directories: { "": `${CGROUP_ROOT}${path}` } };
}

/** Tells systemd the limits that it knows. @throws {CgroupError} */
export function updateUnit(place: CgroupPlace, resources: Resources): void {
  const unit = place.unit as SystemdUnit;
  const properties = limitProperties(resources, place.version === 2 ? 2 : 1);
  if (properties.length === 0) return;
  using manager = SystemdManager.connect(unit);
  manager.setUnitProperties(unit.name, properties);
}

/** Stops the unit, and forgets it when it has failed. @throws {CgroupError} where there is no systemd */
export function stopUnit(unit: SystemdUnit): void {
  using manager = SystemdManager.connect(unit);
  manager.stopUnit(unit.name);
  manager.resetFailedUnit(unit.name);
}
