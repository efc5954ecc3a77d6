/** Sockets that systemd has opened for the container: sd_listen_fds(3). They follow standard error, and so they stay. */
import type { Bundle } from "./bundle.ts";

/** Most sockets that are handed on. */
const LISTEN_FDS_MAX = 128;

/** How many there are for this process. */
export function listenFds(env: NodeJS.ProcessEnv, pid: number): number {
  const count = env["LISTEN_PID"] === String(pid) ? Number(env["LISTEN_FDS"]) : 0;
  return Number.isInteger(count) && count > 0 ? Math.min(count, LISTEN_FDS_MAX) : 0;
}

/** The bundle whose command is told of `count` sockets; it is the first process in there. */
export function withListenFds(bundle: Bundle, count: number): Bundle {
  if (count === 0) return bundle;
  const { process } = bundle.config;
  const env = [...(process.env ?? []), `LISTEN_FDS=${count}`, "LISTEN_PID=1"];
  return { ...bundle, config: { ...bundle.config, process: { ...process, env } } };
}
