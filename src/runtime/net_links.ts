/** Network interfaces and their addresses, as one network namespace has them: rtnetlink(7). */
import { ENODEV } from "../linux/abi/errno.ts";
import {
  IFA_ADDRESS,
  IFA_BROADCAST,
  IFA_F_HOMEADDRESS,
  IFA_F_MANAGETEMPADDR,
  IFA_F_MCAUTOJOIN,
  IFA_F_NODAD,
  IFA_F_NOPREFIXROUTE,
  IFA_F_PERMANENT,
  IFA_FLAGS,
  IFA_LOCAL,
  IFA_RT_PRIORITY,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_NET_NS_FD,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RT_SCOPE_UNIVERSE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "../linux/abi/rtnetlink.ts";
import { cstr, SyscallError } from "../linux/call.ts";
import type { RouteSocket } from "../linux/netlink.ts";
import { type Attribute, decodeAttributes, type ReceivedMessage } from "../linux/netlink_message.ts";

/** An interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** Hardware address in hexadecimal. */
  readonly address: string;
}

/** An address of an interface, as it is given to another one: its structure without the index, and attributes. */
export interface LinkAddress {
  readonly family: number;
  readonly prefix: number;
  readonly attributes: readonly Attribute[];
}

/** struct ifinfomsg: 0 u8 family, 2 u16 type, 4 i32 index, 8 u32 flags, 12 u32 change */
const IFINFO_SIZE = 16;
/** struct ifaddrmsg: 0 u8 family, 1 u8 prefix, 2 u8 flags, 3 u8 scope, 4 u32 index */
const IFADDR_SIZE = 8;
/** Flags of an address that somebody has given it; the others are the kernel's findings. */
const KEPT_FLAGS =
  IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;

const number = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

function linkHeader(index: number, flags = 0, change = 0): Uint8Array {
  const header = new Uint8Array(IFINFO_SIZE);
  new Uint32Array(header.buffer).set([index, flags, change], 1);
  return header;
}

/** The interface of a name; undefined when there is none. */
export function findLink(socket: RouteSocket, name: string): Link | undefined {
  try {
    const attributes: readonly Attribute[] = [[IFLA_IFNAME, cstr(name)]];
    const [message] = socket.request(`RTM_GETLINK("${name}")`, {
      type: RTM_GETLINK,
      header: linkHeader(0),
      attributes,
    });
    return message === undefined ? undefined : linkOf(message);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

/** All interfaces. */
export const listLinks = (socket: RouteSocket): readonly Link[] =>
  socket
    .dump("RTM_GETLINK()", { type: RTM_GETLINK, header: linkHeader(0), attributes: [] })
    .filter(({ type }) => type === RTM_NEWLINK)
    .map(linkOf);

function linkOf({ payload }: ReceivedMessage): Link {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const attributes = decodeAttributes(payload, IFINFO_SIZE);
  const name = new TextDecoder().decode(attributes.get(IFLA_IFNAME) ?? new Uint8Array()).split("\0")[0] ?? "";
  const address = (attributes.get(IFLA_ADDRESS) ?? new Uint8Array()).toHex();
  return { index: view.getInt32(4, true), name, up: (view.getUint32(8, true) & IFF_UP) !== 0, address };
}

/** Moves an interface to the network namespace of a descriptor, where it gets a name; "%d" at its end is a number. */
export function moveLink(
  socket: RouteSocket,
  link: Link,
  { namespace, name }: { readonly namespace: number; readonly name: string },
): void {
  const attributes: readonly Attribute[] = [
    [IFLA_NET_NS_FD, number(namespace)],
    [IFLA_IFNAME, cstr(name)],
  ];
  const what = `RTM_NEWLINK("${link.name}", IFLA_NET_NS_FD, "${name}")`;
  socket.request(what, { type: RTM_NEWLINK, header: linkHeader(link.index), attributes });
}

/** Sets an interface up. */
export function setLinkUp(socket: RouteSocket, { index, name }: Link): void {
  const header = linkHeader(index, IFF_UP, IFF_UP);
  socket.request(`RTM_NEWLINK("${name}", IFF_UP)`, { type: RTM_NEWLINK, header, attributes: [] });
}

/** Addresses that an interface has for good and for everywhere (config-linux.md#network-devices). */
export const globalAddresses = (socket: RouteSocket, link: Link): readonly LinkAddress[] =>
  socket
    .dump("RTM_GETADDR()", { type: RTM_GETADDR, header: new Uint8Array(IFADDR_SIZE), attributes: [] })
    .filter(({ type, payload }) => type === RTM_NEWADDR && indexOf(payload) === link.index)
    .flatMap(({ payload }) => addressOf(payload) ?? []);

const indexOf = (payload: Uint8Array): number =>
  new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(4, true);

function addressOf(payload: Uint8Array): LinkAddress | undefined {
  const [family = 0, prefix = 0, shortFlags = 0, scope] = payload;
  const all = decodeAttributes(payload, IFADDR_SIZE);
  const long = all.get(IFA_FLAGS);
  const flags = long === undefined ? shortFlags : new DataView(long.buffer).getUint32(0, true);
  if (scope !== RT_SCOPE_UNIVERSE || (flags & IFA_F_PERMANENT) === 0) return undefined;
  const kept = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY].flatMap((type): Attribute[] => {
    const data = all.get(type);
    return data === undefined ? [] : [[type, data]];
  });
  return { family, prefix, attributes: [...kept, [IFA_FLAGS, number(flags & KEPT_FLAGS)]] };
}

/** Gives an interface an address. */
export function addAddress(socket: RouteSocket, { index, name }: Link, address: LinkAddress): void {
  const { family, prefix, attributes } = address;
  const header = new Uint8Array(IFADDR_SIZE);
  header.set([family, prefix, 0, RT_SCOPE_UNIVERSE]);
  new Uint32Array(header.buffer).set([index], 1);
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  socket.request(`RTM_NEWADDR("${name}")`, { type: RTM_NEWADDR, flags, header, attributes });
}
