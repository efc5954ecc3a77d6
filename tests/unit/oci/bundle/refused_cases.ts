/** Rules of config.md: a change of a valid configuration, and the fields that are named for it. */

/** A title, the changes, and paths of all faults. */
export type Case = readonly [title: string, changes: Readonly<Record<string, unknown>>, ...paths: string[]];

const map = (containerID: number, hostID: number, size: number): object => ({ containerID, hostID, size });
const MAP = [map(0, 1000, 1)];

/** By section. */
export const REFUSED_AT_TOP: Readonly<Record<string, readonly Case[]>> = {
  root: [
    ["no root", { root: undefined }, "root"],
    ["a root without a path", { root: {} }, "root.path"],
    ["a path with a NUL", { "root.path": "a\0b" }, "root.path"],
    ["a path of 4096 bytes", { "root.path": "a".repeat(4096) }, "root.path"],
    ["a path of 4096 bytes in fewer characters", { "root.path": "é".repeat(2048) }, "root.path"],
    ["readonly as text", { "root.readonly": "true" }, "root.readonly"],
  ],
  process: [
    ["a relative cwd", { "process.cwd": "tmp" }, "process.cwd"],
    ["an empty cwd", { "process.cwd": "" }, "process.cwd"],
    ["no user", { "process.user": undefined }, "process.user"],
    ["a user without a group", { "process.user": { uid: 0 } }, "process.user.gid"],
    ["a user as text", { "process.user.uid": "0" }, "process.user.uid"],
    ["the uid that means none to the kernel", { "process.user.uid": 4_294_967_295 }, "process.user.uid"],
    ["a negative gid", { "process.user.gid": -1 }, "process.user.gid"],
    ["a broken gid", { "process.user.additionalGids": [5, 1.5] }, "process.user.additionalGids[1]"],
    ["a umask of four digits", { "process.user.umask": 0o1000 }, "process.user.umask"],
    ["a variable without =", { "process.env": ["A=1", "FOO"] }, "process.env[1]"],
    ["a variable without a name", { "process.env": ["=x"] }, "process.env[0]"],
    ["an empty variable", { "process.env": [""] }, "process.env[0]"],
    ["a variable with a NUL", { "process.env": ["A=b\0c"] }, "process.env[0]"],
    ["an argument with a NUL", { "process.args": ["a", "\0"] }, "process.args[1]"],
    ["an argument of 128 KiB", { "process.args": ["a".repeat(131_072)] }, "process.args[0]"],
    ["65,537 arguments", { "process.args": new Array(65_537).fill("a") }, "process.args"],
    ["arguments as text", { "process.args": "sh -c" }, "process.args"],
    ["null as an argument", { "process.args": ["sh", null] }, "process.args[1]"],
    ["more than is permitted", { "process.capabilities.permitted": [] }, "process.capabilities.effective"],
    [
      "more to inherit than is bounded",
      { "process.capabilities.inheritable": ["CAP_KILL"] },
      "process.capabilities.inheritable",
    ],
    [
      "an unknown limit",
      { "process.rlimits": [{ type: "RLIMIT_FOO", soft: 1, hard: 1 }] },
      "process.rlimits[0].type",
    ],
    [
      "a limit twice",
      {
        "process.rlimits": ["CORE", "CPU", "CORE"].map((name) => ({
          type: `RLIMIT_${name}`,
          soft: 1,
          hard: 1,
        })),
      },
      "process.rlimits[2].type",
    ],
    [
      "a soft limit above the hard one",
      { "process.rlimits": [{ type: "RLIMIT_CORE", soft: 2, hard: 1 }] },
      "process.rlimits[0].soft",
    ],
    ["half a limit", { "process.rlimits": [{ type: "RLIMIT_CORE", soft: 2 }] }, "process.rlimits[0].hard"],
    ["oomScoreAdj above 1000", { "process.oomScoreAdj": 1001 }, "process.oomScoreAdj"],
    ["oomScoreAdj below -1000", { "process.oomScoreAdj": -1001 }, "process.oomScoreAdj"],
    ["a profile of two lines", { "process.apparmorProfile": "a\nb" }, "process.apparmorProfile"],
    ["a label of two lines", { "process.selinuxLabel": "a\nb" }, "process.selinuxLabel"],
    [
      "a window of 65,536 rows",
      { "process.consoleSize": { height: 65_536, width: 1 } },
      "process.consoleSize.height",
    ],
    [
      "processors that run backwards",
      { "process.execCPUAffinity.initial": "3-1" },
      "process.execCPUAffinity.initial",
    ],
    ["no list of processors", { "process.execCPUAffinity.final": "0,x" }, "process.execCPUAffinity.final"],
  ],
  scheduling: [
    ["no policy", { "process.scheduler": {} }, "process.scheduler.policy"],
    ["a policy that Linux lacks", { "process.scheduler.policy": "SCHED_ISO" }, "process.scheduler.policy"],
    ["nice 20", { "process.scheduler": { policy: "SCHED_OTHER", nice: 20 } }, "process.scheduler.nice"],
    [
      "FIFO without a priority",
      { "process.scheduler": { policy: "SCHED_FIFO" } },
      "process.scheduler.priority",
    ],
    [
      "OTHER with a priority",
      { "process.scheduler": { policy: "SCHED_OTHER", priority: 1 } },
      "process.scheduler.priority",
    ],
    [
      "RR with nice",
      { "process.scheduler": { policy: "SCHED_RR", priority: 1, nice: 1 } },
      "process.scheduler.nice",
    ],
    [
      "a runtime for OTHER",
      { "process.scheduler": { policy: "SCHED_OTHER", runtime: 1 } },
      "process.scheduler.runtime",
    ],
    [
      "DEADLINE without a runtime",
      { "process.scheduler": { policy: "SCHED_DEADLINE" } },
      "process.scheduler.runtime",
    ],
    [
      "a deadline below the runtime",
      { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 2, deadline: 1 } },
      "process.scheduler.deadline",
    ],
    [
      "a period below the deadline",
      { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1, deadline: 3, period: 2 } },
      "process.scheduler.period",
    ],
    [
      "an unknown flag",
      { "process.scheduler": { policy: "SCHED_OTHER", flags: ["X"] } },
      "process.scheduler.flags[0]",
    ],
    [
      "an I/O class without a priority",
      { "process.ioPriority": { class: "IOPRIO_CLASS_BE" } },
      "process.ioPriority.priority",
    ],
    ["processor 8192", { "process.execCPUAffinity.initial": "8192" }, "process.execCPUAffinity.initial"],
    [
      "I/O priority 8",
      { "process.ioPriority": { class: "IOPRIO_CLASS_BE", priority: 8 } },
      "process.ioPriority.priority",
    ],
    [
      "an unknown I/O class",
      { "process.ioPriority": { class: "BE", priority: 0 } },
      "process.ioPriority.class",
    ],
  ],
  names: [
    ["a host name of 65 bytes", { hostname: "a".repeat(65) }, "hostname"],
    ["a domain name with a NUL", { domainname: "\0" }, "domainname"],
    [
      "names without a uts namespace",
      { domainname: "x", "linux.namespaces": [{ type: "mount" }, { type: "network" }] },
      "hostname",
      "domainname",
    ],
    ["an annotation that is no text", { annotations: { a: 1 } }, "annotations.a"],
    ["annotations as a list", { annotations: ["x"] }, "annotations"],
    ["annotations as text", { annotations: "x" }, "annotations"],
    ["an annotation without a key", { annotations: { "": "x" } }, 'annotations[""]'],
  ],
  hooks: [
    ["a relative path", { "hooks.prestart": [{ path: "true" }] }, "hooks.prestart[0].path"],
    ["no path", { "hooks.poststart": [{}] }, "hooks.poststart[0].path"],
    [
      "a timeout of 0",
      { "hooks.createRuntime": [{ path: "/a", timeout: 0 }] },
      "hooks.createRuntime[0].timeout",
    ],
    ["a negative timeout", { "hooks.poststop": [{ path: "/a", timeout: -1 }] }, "hooks.poststop[0].timeout"],
    [
      "a variable without =",
      { "hooks.startContainer": [{ path: "/a", env: ["x"] }] },
      "hooks.startContainer[0].env[0]",
    ],
    ["an object for a list", { "hooks.createContainer": { path: "/a" } }, "hooks.createContainer"],
  ],
  mounts: [
    ["no destination", { "mounts.0": { type: "proc" } }, "mounts[0].destination"],
    ["the root", { "mounts.0.destination": "/" }, "mounts[0].destination"],
    ["the root by detours", { "mounts.0.destination": "/..//./" }, "mounts[0].destination"],
    ["a bind mount of nothing", { "mounts.1.source": "" }, "mounts[1].source"],
    ["an option with a NUL", { "mounts.0.options": ["a\0"] }, "mounts[0].options[0]"],
    ["half a map", { "mounts.1.uidMappings": MAP }, "mounts[1].gidMappings"],
    [
      "maps that overlap",
      { "mounts.1.uidMappings": [map(0, 0, 2), map(1, 9, 1)], "mounts.1.gidMappings": MAP },
      "mounts[1].uidMappings",
    ],
    ["idmap without any map", { "mounts.1.options": ["rbind", "idmap"] }, "mounts[1].options"],
  ],
};
