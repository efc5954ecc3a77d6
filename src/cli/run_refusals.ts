/**
 * Docker's options of `run` that bunker does not have, each with the reason or the way round. A known option that is
 * missing must not look like a typing error. Loaded only when an option was not found.
 */
import { UnknownOptionError } from "./options.ts";

const FOREGROUND = "bunker runs containers in the foreground";
const HOST_NETWORK = "the container shares the host's network";
const NO_VOLUMES = "only directories of the host can be mounted";
const NO_DEVICES = "devices of the host are not passed on";
const OWN_NAMESPACES = "every container has namespaces of its own";
const NOT_YET_LIMIT = "--memory, --cpus, --pids-limit and --ulimit are the limits that bunker sets";
const NO_LOGS = "what the container writes goes to your stdout and stderr";
const NO_HEALTH = "bunker makes no health checks";
const NO_METADATA = "a container in the foreground keeps no metadata";

/** Why, by long name. */
const REASONS: Readonly<Record<string, string>> = {
  "add-host": HOST_NETWORK,
  annotation: NO_METADATA,
  attach: "stdout and stderr are always attached, and stdin with -i",
  "blkio-weight": NOT_YET_LIMIT,
  "blkio-weight-device": NOT_YET_LIMIT,
  "cgroup-parent": "bunker chooses the cgroup",
  cgroupns: OWN_NAMESPACES,
  cidfile: NO_METADATA,
  "cpu-period": "use --cpus",
  "cpu-quota": "use --cpus",
  "cpu-rt-period": NOT_YET_LIMIT,
  "cpu-rt-runtime": NOT_YET_LIMIT,
  "cpu-shares": NOT_YET_LIMIT,
  "cpuset-cpus": NOT_YET_LIMIT,
  "cpuset-mems": NOT_YET_LIMIT,
  detach: FOREGROUND,
  "detach-keys": FOREGROUND,
  device: NO_DEVICES,
  "device-cgroup-rule": NO_DEVICES,
  "device-read-bps": NOT_YET_LIMIT,
  "device-read-iops": NOT_YET_LIMIT,
  "device-write-bps": NOT_YET_LIMIT,
  "device-write-iops": NOT_YET_LIMIT,
  dns: HOST_NETWORK,
  "dns-option": HOST_NETWORK,
  "dns-search": HOST_NETWORK,
  domainname: "use --hostname",
  expose: HOST_NETWORK,
  gpus: NO_DEVICES,
  "group-add": "use --user with a group",
  "health-cmd": NO_HEALTH,
  "health-interval": NO_HEALTH,
  "health-retries": NO_HEALTH,
  "health-start-interval": NO_HEALTH,
  "health-start-period": NO_HEALTH,
  "health-timeout": NO_HEALTH,
  ip: HOST_NETWORK,
  ip6: HOST_NETWORK,
  ipc: OWN_NAMESPACES,
  isolation: "it is an option of Windows containers",
  label: NO_METADATA,
  "label-file": NO_METADATA,
  link: HOST_NETWORK,
  "link-local-ip": HOST_NETWORK,
  "log-driver": NO_LOGS,
  "log-opt": NO_LOGS,
  "mac-address": HOST_NETWORK,
  "memory-reservation": NOT_YET_LIMIT,
  "memory-swap": NOT_YET_LIMIT,
  "memory-swappiness": NOT_YET_LIMIT,
  "network-alias": HOST_NETWORK,
  "no-healthcheck": NO_HEALTH,
  "oom-kill-disable": NOT_YET_LIMIT,
  "oom-score-adj": NOT_YET_LIMIT,
  pid: OWN_NAMESPACES,
  publish: `${HOST_NETWORK}, so that its ports are open already`,
  "publish-all": `${HOST_NETWORK}, so that its ports are open already`,
  restart: FOREGROUND,
  runtime: "bunker is its own runtime",
  "shm-size": "the size of /dev/shm is fixed",
  "sig-proxy": "signals always reach the command",
  "stop-signal": FOREGROUND,
  "stop-timeout": FOREGROUND,
  "storage-opt": "the container's root is as large as the directory of all data allows",
  sysctl: "kernel parameters are not changed",
  "use-api-socket": "bunker has no socket",
  userns: OWN_NAMESPACES,
  uts: OWN_NAMESPACES,
  "volume-driver": NO_VOLUMES,
  "volumes-from": NO_VOLUMES,
};

/** Docker's one-letter names of the same options. */
const LETTERS: Readonly<Record<string, string>> = {
  a: "attach",
  c: "cpu-shares",
  d: "detach",
  l: "label",
  p: "publish",
  P: "publish-all",
};

/** The error to show for an option that `run` does not have: with a reason when docker has that option. */
export function explainUnknownRunOption(error: UnknownOptionError): UnknownOptionError {
  const { option } = error;
  const isLetter = option.length === 1;
  const name = isLetter ? LETTERS[option] : option;
  if (name === undefined || !Object.hasOwn(REASONS, name)) return error;
  const shown = isLetter ? `-${option}` : `--${option}`;
  return new UnknownOptionError(option, `${shown} is not supported yet: ${REASONS[name]}`, { isKnown: true });
}
