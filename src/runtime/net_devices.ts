/**
 * `linux.netDevices`: interfaces of the runtime's network namespace are given to the container, keep their global
 * addresses, and are up there (config-linux.md#network-devices). At the end the kernel has them: virtual ones go with
 * the namespace, others come back to the first one.
 *
 * The engine enters no namespace: a program opens the socket that speaks for the container's, and sends it here. When an
 * interface cannot be given, those before it come back as they were.
 */
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../linux/abi/fcntl.ts";
import { CLONE_NEWNET } from "../linux/abi/sched.ts";
import { call, cstr, SyscallError } from "../linux/call.ts";
import { failureError } from "../linux/failure.ts";
import { ROUTE_SOCKET, RouteSocket } from "../linux/netlink.ts";
import { receiveFd, socketpair } from "../linux/socket_pair.ts";
import { executableOf, finishProgram, inheritedFd, programWithReport, spawnProgram } from "../linux/spawn.ts";
import { waitForExit } from "../linux/wait.ts";
import type { Linux } from "../oci/bundle/config.ts";
import { NetDeviceError } from "./net_device_error.ts";
import {
  addAddress,
  findLink,
  globalAddresses,
  type Link,
  type LinkAddress,
  listLinks,
  moveLink,
  setLinkUp,
} from "./net_links.ts";
import { planSentMaster } from "./process/terminal.ts";

type NetDevices = NonNullable<Linux["netDevices"]>;

/** One side of the move. */
interface Side {
  readonly socket: RouteSocket;
  /** Descriptor of its network namespace. */
  readonly namespace: number;
}

/** An interface as it was before. */
interface Given {
  readonly link: Link;
  readonly addresses: readonly LinkAddress[];
}

/** Whose namespace gets the interfaces. */
export interface NetDevicesTarget {
  readonly pid: number;
  /** File for a program where memfds may not be executed. */
  readonly programFile: string;
}

/**
 * Moves the interfaces to the network namespace of a process.
 * @throws {NetDeviceError} with all interfaces where they were.
 */
export async function moveNetDevices(devices: NetDevices, target: NetDevicesTarget): Promise<void> {
  using stack = new DisposableStack();
  const openNamespace = (path: string): number =>
    stack.adopt(call("openat", AT_FDCWD, cstr(path), O_RDONLY | O_CLOEXEC), (fd) => call("close", fd));
  const [ours, theirs] = [openNamespace("/proc/self/ns/net"), openNamespace(`/proc/${target.pid}/ns/net`)];
  const host = { socket: stack.use(new RouteSocket()), namespace: ours };
  const socket = stack.use(new RouteSocket(await openSocketIn(theirs, target.programFile)));
  const container = { socket, namespace: theirs };
  const moved: (Given & { readonly inside: Link })[] = [];
  for (const [name, { name: wanted = name }] of Object.entries(devices)) {
    try {
      const given = findGiven(host, name);
      const inside = move(given.link, wanted, { host, container });
      moved.push({ ...given, inside });
      settle(container, inside, given.addresses);
    } catch (error) {
      for (const { link, addresses, inside } of moved.reverse())
        giveBack({ link, addresses }, inside, { host, container });
      if (!(error instanceof SyscallError)) throw error;
      throw new NetDeviceError(name, error.message, error);
    }
  }
}

function findGiven({ socket }: Side, name: string): Given {
  const link = findLink(socket, name);
  if (link === undefined) throw new NetDeviceError(name, "there is no interface of this name");
  return { link, addresses: globalAddresses(socket, link) };
}

interface Sides {
  readonly host: Side;
  readonly container: Side;
}

/** @returns the interface as the container has it */
function move(link: Link, name: string, { host, container }: Sides): Link {
  // Renamed only after the move, it would be in the wrong namespace with the wrong name when that fails.
  if (!name.endsWith("%d") && findLink(container.socket, name) !== undefined) {
    throw new NetDeviceError(link.name, `there is an interface "${name}" already`);
  }
  const before = new Set(listLinks(container.socket).map(({ index }) => index));
  moveLink(host.socket, link, { namespace: container.namespace, name });
  const added = listLinks(container.socket).filter(({ index }) => !before.has(index));
  // Its number stays where that is free; others may be added meanwhile to a namespace that was there before.
  const alike = added.filter(({ address }) => address === link.address);
  const inside = alike.find(({ index }) => index === link.index) ?? alike[0];
  if (inside === undefined) throw new NetDeviceError(link.name, "it has gone from there");
  return inside;
}

function settle({ socket }: Side, link: Link, addresses: readonly LinkAddress[]): void {
  for (const address of addresses) addAddress(socket, link, address);
  setLinkUp(socket, link);
}

function giveBack({ link, addresses }: Given, inside: Link, { host, container }: Sides): void {
  try {
    const returned = move(inside, link.name, { host: container, container: host });
    for (const address of addresses) addAddress(host.socket, returned, address);
    if (link.up) setLinkUp(host.socket, returned);
  } catch {
    // The error that made us give it back is the one to be read.
  }
}

/** A routing socket that belongs to the network namespace of a descriptor. */
async function openSocketIn(namespace: number, programFile: string): Promise<number> {
  const [own, theirs] = socketpair();
  const program = programWithReport().section("open a routing socket in the container's network namespace");
  program.setns(inheritedFd(1), CLONE_NEWNET);
  const socket = program.step("socket", ...ROUTE_SOCKET).result;
  planSentMaster(program, socket, { socket: inheritedFd(0), name: "n" });
  program.exit_group(0);
  try {
    const options = { namespaces: 0, inherit: [theirs, namespace], programFile, endsWithEngine: true };
    const spawned = spawnProgram(executableOf(finishProgram(program)), options);
    waitForExit(spawned.pidfd);
    const failure = await spawned.failure();
    spawned.release();
    const received = failure === undefined ? receiveFd(own) : undefined;
    if (received !== undefined) return received;
    throw failure === undefined
      ? new Error("Cannot open a routing socket: its program was killed")
      : failureError(failure);
  } finally {
    for (const fd of [own, theirs]) call("close", fd);
  }
}
