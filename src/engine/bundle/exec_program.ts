/** Starts the program of `exec` with all that it inherits, and answers what it asks. */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../linux/abi/fcntl.ts";
import { CLONE_NEWUSER } from "../../linux/abi/sched.ts";
import { call, callRaw, cstr } from "../../linux/call.ts";
import { createSharedPage, type SharedPage } from "../../linux/memfd.ts";
import { report } from "../../linux/program_core.ts";
import { readSmallText, replaceSmallFile } from "../../linux/small_file.ts";
import { socketpair } from "../../linux/socket_pair.ts";
import { inheritedFd } from "../../linux/spawn.ts";
import { connectUnix } from "../../linux/unix_socket.ts";
import {
  type Answers,
  ProgramEndedError,
  type StartedBundle,
  startBundle,
} from "../../runtime/bundle_start.ts";
import type { OpenGroup } from "../../runtime/cgroup/join.ts";
import type { ExecFds } from "../../runtime/exec_plan.ts";
import { NAMESPACE_FLAGS, needsSecond } from "../../runtime/namespaces.ts";
import { compileExec } from "./compile_exec.ts";
import { type RuntimeContext, RuntimeError } from "./context.ts";
import type { ExecOptions, ExecTarget } from "./exec.ts";
import { Inheritance } from "./inheritance.ts";
import { openProcess } from "./kill.ts";
import { prepareProcess } from "./prepare_process.ts";
import { processHostOf } from "./process_host.ts";

/** Names below /proc/PID/ns, by the specification's names. */
const NAMESPACE_FILES = {
  time: "time",
  mount: "mnt",
  cgroup: "cgroup",
  uts: "uts",
  ipc: "ipc",
  user: "user",
  pid: "pid",
  network: "net",
} as const;

/** Starts the process and serves it until it is about to execute its command. */
export async function startExec(
  target: ExecTarget,
  options: ExecOptions,
  context: RuntimeContext,
): Promise<StartedBundle> {
  const pidfd = openProcess(target.file);
  if (pidfd === undefined) throw stopped();
  using inheritance = new Inheritance();
  const fds = await inherit(target, { options, inheritance, pidfd });
  const namespaces = namespacesOf(target.file.pid);
  // Alive still, so what was found under its id was its own, and no other process's that got the id.
  if (callRaw("pidfd_send_signal", pidfd, 0, null, 0) < 0) throw stopped();
  const userNamespace = (namespaces & CLONE_NEWUSER) !== 0;
  const { config, process } = target;
  const linux = config.linux ?? {};
  const host = await processHostOf({
    process,
    linux,
    root: context.root,
    preserveFds: options.preserveFds,
    keptFds: [fds.socket, fds.socket],
    userNamespace,
    setgroupsAllowed: setgroupsAllowed(target.file.pid),
  });
  const compiled = await compileExec(process, { fds, namespaces, process: host, linux }, context.root);
  for (const warning of compiled.warnings) context.log("warning", warning);
  using group = await openTargetGroup(target, options);
  const page = createSharedPage(report.size);
  try {
    return await startBundle({
      cgroup: group,
      executable: compiled.executable,
      namespaces: 0,
      mapped: false,
      staged: needsSecond(namespaces),
      sockets: socketpair(),
      inherit: inheritance.fds,
      page,
      preserveFds: options.preserveFds,
      programFile: `${context.root}/${target.file.id}/program`,
      meanwhile: async () => {
        await import("./supervise.ts");
        compiled.keep?.();
      },
      answers: answersOf(target, { options, userNamespace, page }),
    });
  } catch (error) {
    if (!(error instanceof ProgramEndedError)) throw error;
    const { programError } = await import("./start_error.ts");
    throw programError(error, { args: process.args ?? [], cwd: process.cwd });
  }
}

const stopped = (): RuntimeError => new RuntimeError("cannot exec in a stopped container");

interface ExecInputs {
  readonly options: ExecOptions;
  readonly inheritance: Inheritance;
  readonly pidfd: number;
}

async function inherit(target: ExecTarget, { options, inheritance, pidfd }: ExecInputs): Promise<ExecFds> {
  const { file } = target;
  const container = inheritance.add(pidfd);
  const root = call("openat", AT_FDCWD, cstr(`/proc/${file.pid}/root`), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const rootFd = inheritance.add(root);
  const files = await joinFiles(target, options.cgroup);
  const cgroup = files.map((fd) => inheritance.add(fd));
  const socket = inheritedFd(0);
  const { consoleSocket } = options;
  const console = consoleSocket === undefined ? socket : inheritance.add(connectUnix(consoleSocket));
  return { socket, cgroup, container, root: rootFd, console };
}

/** On version 2, unless it is to run somewhere else before: config.md#linux-process, execCPUAffinity.initial. */
const startsInGroup = ({ file, process }: ExecTarget): boolean =>
  file.cgroup?.version === 2 && (process.execCPUAffinity?.initial ?? "") === "";

async function joinFiles(target: ExecTarget, below: readonly string[]): Promise<readonly number[]> {
  const { cgroup } = target.file;
  if (cgroup === undefined || startsInGroup(target)) return [];
  const { openJoinFiles } = await import("../../runtime/cgroup/join.ts");
  return openJoinFiles(cgroup, below);
}

async function openTargetGroup(
  target: ExecTarget,
  { cgroup: below }: ExecOptions,
): Promise<OpenGroup | undefined> {
  const { cgroup, pid } = target.file;
  if (cgroup === undefined || !startsInGroup(target)) return undefined;
  const { openGroup } = await import("../../runtime/cgroup/join.ts");
  return openGroup(cgroup, { below, pid });
}

/** CLONE_NEW* flags of the namespaces in which process `pid` is not with this one. */
function namespacesOf(pid: number): number {
  let flags = 0;
  for (const [type, name] of Object.entries(NAMESPACE_FILES)) {
    if (namespaceAt(`/proc/${pid}/ns/${name}`) !== namespaceAt(`/proc/self/ns/${name}`)) {
      flags |= NAMESPACE_FLAGS[type as keyof typeof NAMESPACE_FILES];
    }
  }
  return flags;
}

/** user_namespaces(7), /proc/PID/setgroups */
const setgroupsAllowed = (pid: number): boolean => readSmallText(`/proc/${pid}/setgroups`)?.trim() !== "deny";

const LINK_SIZE_MAX = 64;
const decoder = new TextDecoder();

/** `mnt:[4026531840]` */
function namespaceAt(path: string): string {
  const link = new Uint8Array(new ArrayBuffer(LINK_SIZE_MAX));
  const length = callRaw("readlinkat", AT_FDCWD, cstr(path), link, LINK_SIZE_MAX);
  return decoder.decode(link.subarray(0, Math.max(0, length)));
}

interface AnswerInputs {
  readonly options: ExecOptions;
  readonly userNamespace: boolean;
  readonly page: SharedPage;
}

function answersOf({ file, process }: ExecTarget, { options, userNamespace, page }: AnswerInputs): Answers {
  const never = (): never => {
    throw new Error("Cannot answer: exec makes no namespaces");
  };
  return {
    m: never,
    o: never,
    h: never,
    c: () => undefined,
    s: async (pid) => {
      // The program has set its score itself, while it could be reached.
      const { oomScoreAdj: _, ...rest } = process;
      await prepareProcess(pid, { process: rest, userNamespace, page, rootOf: file.pid });
      if (file.rdt !== undefined) {
        const { joinRdt } = await import("../../runtime/intel_rdt.ts");
        joinRdt(file.rdt, pid);
      }
      if (options.pidfdSocket !== undefined) {
        const { sendPidfd } = await import("./pidfd_socket.ts");
        sendPidfd(options.pidfdSocket, pid, "setns");
      }
      if (options.pidFile !== undefined) replaceSmallFile(options.pidFile, String(pid), 0o644);
    },
  };
}
