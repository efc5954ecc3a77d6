/** What the engine does when the program of a new container asks: runtime/requests.ts. */
import { type SharedPage, writeAll } from "../../linux/memfd.ts";
import { replaceSmallFile, writeSmallFile } from "../../linux/small_file.ts";
import type { Linux, TimeOffset } from "../../oci/bundle/config.ts";
import type { Answers } from "../../runtime/bundle_start.ts";
import type { MadeCgroup } from "../../runtime/cgroup/make.ts";
import type { Launch, StateFiles } from "./launch.ts";
import { prepareProcess } from "./prepare_process.ts";

/** A file with the state, for hooks in the container: here, and in the program. */
interface Document {
  readonly own: number;
  readonly inherited: number;
}

/** The files that are filled in while the program waits. */
export interface Documents {
  readonly create: Document | undefined;
  readonly start: Document | undefined;
}

interface AnswerInputs {
  readonly cgroup: MadeCgroup;
  readonly files: StateFiles;
  readonly documents: Documents;
  readonly page: SharedPage;
}

/** The answers for one container. */
export function answersOf(launch: Launch, inputs: AnswerInputs): Answers {
  const { config } = launch.bundle;
  const { linux = {} } = config;
  return {
    m: (pid) => mapIds(pid, linux),
    c: async (pid) => inputs.files.write({ cgroup: await inputs.cgroup.admit?.(pid) }),
    o: (pid) => writeSmallFile(`/proc/${pid}/timens_offsets`, timeOffsets(linux)),
    h: (pid) => runtimeWork(launch, { ...inputs, pid }),
    s: (pid) => complete(launch, { ...inputs, pid }),
  };
}

async function mapIds(pid: number, { uidMappings = [], gidMappings = [] }: Linux): Promise<void> {
  const { writeIdMaps } = await import("../../runtime/process/id_maps.ts");
  writeIdMaps(pid, { uidMappings, gidMappings });
}

/** time_namespaces(7): a line for each clock, seconds and nanoseconds. */
function timeOffsets({ timeOffsets: offsets = {} }: Linux): string {
  const line = (clock: string, { secs = 0, nanosecs = 0 }: TimeOffset): string =>
    `${clock} ${secs} ${nanosecs}\n`;
  return (["monotonic", "boottime"] as const)
    .flatMap((clock) => (offsets[clock] === undefined ? [] : [line(clock, offsets[clock])]))
    .join("");
}

type Waiting = AnswerInputs & { readonly pid: number };

/**
 * Hooks that run in the runtime's namespaces, what is handed to the container's, and network devices: after the hooks,
 * which may make them, and before those of the container, which find them.
 */
async function runtimeWork({ bundle, directory }: Launch, { files, documents, pid }: Waiting): Promise<void> {
  const { hooks = {}, linux = {} } = bundle.config;
  const programFile = `${directory.path}/program`;
  if (files.current.rdt !== undefined) {
    const { joinRdt } = await import("../../runtime/intel_rdt.ts");
    joinRdt(files.current.rdt, pid);
  }
  const { hookState } = await import("./state_hooks.ts");
  const { runHooks } = await import("../../runtime/hooks.ts");
  const state = hookState(files.current, "creating", pid);
  const context = { state, cwd: bundle.directory, programFile };
  runHooks("prestart", hooks.prestart ?? [], context);
  runHooks("createRuntime", hooks.createRuntime ?? [], context);
  if (documents.create !== undefined) writeDocument(documents.create.own, state);
  if (Object.keys(linux.netDevices ?? {}).length > 0) {
    const { moveNetDevices } = await import("../../runtime/net_devices.ts");
    await moveNetDevices(linux.netDevices ?? {}, { pid, programFile });
  }
}

function writeDocument(fd: number, state: unknown): void {
  writeAll(fd, new TextEncoder().encode(JSON.stringify(state)));
}

/** The last of the answers: from here on the container is there. */
async function complete(launch: Launch, { files, documents, page, pid }: Waiting): Promise<void> {
  const { bundle, options } = launch;
  await prepareProcess(pid, { process: bundle.config.process, userNamespace: launch.userNamespace, page });
  if (documents.start !== undefined) {
    const { hookState } = await import("./state_hooks.ts");
    writeDocument(documents.start.own, hookState(files.current, "created", pid));
  }
  files.complete(pid);
  if (options.pidfdSocket !== undefined) {
    const { sendPidfd } = await import("./pidfd_socket.ts");
    sendPidfd(options.pidfdSocket, pid, "standard");
  }
  if (options.pidFile !== undefined) replaceSmallFile(options.pidFile, String(pid), 0o644);
}
