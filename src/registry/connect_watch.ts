/**
 * Notices early that a host does not even accept connections. fetch has one time limit for connecting and answering, and
 * answering may take long: so when a reply is late, a second connection is tried, and only if that fails too, the
 * request is given up. A request that is answered in time costs nothing.
 */
import { connect } from "node:net";
import { RegistryError } from "./registry_error.ts";

/** A watch that runs. */
export interface ConnectionWatch {
  /** Ends the watch; nothing is called any more. */
  stop(): void;
}

/**
 * Calls `onDead` when `url`'s host has not accepted a connection `connectMs` after now.
 * @param url of the proxy where there is one: the host behind it need not be reachable from here
 */
export function watchConnection(
  url: URL,
  options: { readonly connectMs: number; readonly onDead: (error: RegistryError) => void },
): ConnectionWatch {
  const { connectMs, onDead } = options;
  const half = connectMs / 2;
  const stopped = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const probe = async (): Promise<void> => {
    timers.add(setTimeout(() => onDead(dead(url, connectMs)), half));
    const isAlive = await canConnect(url, stopped.signal);
    if (isAlive) stop();
  };
  const stop = (): void => {
    for (const timer of timers) clearTimeout(timer);
    stopped.abort();
  };
  timers.add(setTimeout(() => void probe(), half));
  return { stop };
}

/** True once a connection stands; false when it is refused, which the request itself will report. */
function canConnect(url: URL, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const port = url.port === "" ? { "http:": 80, "https:": 443 }[url.protocol] : Number(url.port);
  const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ""), port: port ?? 443 });
  // Left alone, a connection that nobody answers keeps the process alive for minutes.
  const settle = (isAlive: boolean): void => {
    socket.destroy();
    resolve(isAlive);
  };
  socket.once("connect", () => settle(true));
  socket.once("error", () => settle(false));
  signal.addEventListener("abort", () => settle(false), { once: true });
  return promise;
}

function dead(url: URL, connectMs: number): RegistryError {
  return new RegistryError(`Cannot reach "${url.host}": no connection within ${connectMs / 1000} s`, {
    code: "REGISTRY_UNREACHABLE",
    hint: "Check the network and the firewall",
  });
}
