/** What the engine does for a process that waits to execute its command: in a container, or joining one. */
import type { SharedPage } from "../../linux/memfd.ts";
import type { Process } from "../../oci/bundle/config.ts";
import { lacksHome, writeHome } from "../../runtime/process/identity.ts";

/** The process, and where it can be reached. */
export interface WaitingProcess {
  readonly process: Process;
  /** It is in a user namespace other than this one's. */
  readonly userNamespace: boolean;
  readonly page: SharedPage;
  /** Whose root has its /etc/passwd [its own]: one that hides from the container hides from an ordinary user too. */
  readonly rootOf?: number;
}

/** Sets what takes rights of the host, and tells the program its user's home directory. */
export async function prepareProcess(pid: number, waiting: WaitingProcess): Promise<void> {
  const { process, userNamespace, page, rootOf = pid } = waiting;
  if (userNamespace) {
    const { applyFromHost } = await import("../../runtime/process/from_host.ts");
    applyFromHost(pid, process);
  }
  if (!lacksHome(process.env)) return;
  const { lookUpUser } = await import("../../runtime/process/lookup.ts");
  writeHome(page.bytes, lookUpUser(rootOf, String(process.user.uid)).home);
}
