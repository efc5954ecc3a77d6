/** systemd's manager: units that are started, changed and stopped by D-Bus, org.freedesktop.systemd1(5). */
import { ECONNREFUSED, ENOENT } from "../../../linux/abi/errno.ts";
import { SyscallError } from "../../../linux/call.ts";
import { CgroupError } from "../cgroup_error.ts";
import { Bus, BusError } from "./bus.ts";
import type { Value, Variant } from "./wire.ts";

/** A property of a unit. */
export type Property = readonly [name: string, value: Variant];

const MANAGER = {
  destination: "org.freedesktop.systemd1",
  path: "/org/freedesktop/systemd1",
  interface: "org.freedesktop.systemd1.Manager",
} as const;

const NO_SUCH_UNIT = "org.freedesktop.systemd1.NoSuchUnit";
const UNIT_EXISTS = "org.freedesktop.systemd1.UnitExists";

/** A connection to the manager of the system, or of this user. */
export class SystemdManager implements Disposable {
  readonly #bus: Bus;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Connects. @throws {CgroupError} where there is no systemd */
  static connect({ user }: { readonly user: boolean }): SystemdManager {
    const directory = user
      ? (process.env["XDG_RUNTIME_DIR"] ?? `/run/user/${process.getuid?.() ?? 0}`)
      : "/run";
    // Its own socket first: it is there before the bus's daemon is, and where there is none.
    const own = tryConnect(`${directory}/systemd/private`);
    if (own !== undefined) return new SystemdManager(own);
    const bus = tryConnect(user ? `${directory}/bus` : "/run/dbus/system_bus_socket");
    if (bus === undefined) {
      throw new CgroupError(`Cannot use systemd: it has no socket in "${directory}"`, {
        hint: "Leave out --systemd-cgroup where systemd does not run",
      });
    }
    bus.register();
    bus.addMatch(`type='signal',interface='${MANAGER.interface}',member='JobRemoved'`);
    const manager = new SystemdManager(bus);
    manager.#call("Subscribe", "", []);
    return manager;
  }

  /**
   * Starts a unit that exists as long as it is used, and waits until it runs. A failed one of the same name is forgotten.
   * @throws {BusError | CgroupError}
   */
  startTransientUnit(name: string, properties: readonly Property[]): void {
    const start = () =>
      this.#runJob("StartTransientUnit", "ssa(sv)a(sa(sv))", [name, "replace", properties, []]);
    try {
      start();
    } catch (error) {
      if (!(error instanceof BusError) || error.errorName !== UNIT_EXISTS) throw error;
      this.resetFailedUnit(name);
      start();
    }
  }

  /** Stops a unit and waits until it has stopped. @returns false when there is none */
  stopUnit(name: string): boolean {
    try {
      this.#runJob("StopUnit", "ss", [name, "replace"]);
      return true;
    } catch (error) {
      if (error instanceof BusError && error.errorName === NO_SUCH_UNIT) return false;
      throw error;
    }
  }

  /** Changes properties until the machine is started anew. @throws {BusError} */
  setUnitProperties(name: string, properties: readonly Property[]): void {
    if (properties.length > 0) this.#call("SetUnitProperties", "sba(sv)", [name, true, properties]);
  }

  /** Forgets that a unit has failed. */
  resetFailedUnit(name: string): void {
    try {
      this.#call("ResetFailedUnit", "s", [name]);
    } catch (error) {
      // There is none: so it has not failed.
      if (!(error instanceof BusError)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#bus[Symbol.dispose]();
  }

  #call(member: string, signature: string, body: readonly Value[]): readonly Value[] {
    return this.#bus.call({ ...MANAGER, member, signature, body });
  }

  /** JobRemoved: id, path of the job, unit, result. */
  #runJob(member: string, signature: string, body: readonly Value[]): void {
    const [job] = this.#call(member, signature, body);
    const signal = this.#bus.awaitSignal(({ member, body }) => member === "JobRemoved" && body[1] === job);
    const result = String(signal.body[3]);
    if (result !== "done")
      throw new CgroupError(`Cannot use systemd: ${member} of "${body[0]}" has ended: ${result}`);
  }
}

function tryConnect(path: string): Bus | undefined {
  try {
    return Bus.connect(path);
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === ENOENT || error.errno === ECONNREFUSED))
      return undefined;
    throw error;
  }
}
