/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a container: hosts(5), hostname(5), resolv.conf(5). */
import { readSmallText } from "../linux/small_file.ts";
import type { ProvidedFile } from "../runtime/rootfs/files.ts";

const LOCALHOST = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/** The files; with the host's network they are the host's own, and the container's name is added. */
export function etcFiles(hostname: string, network: "host" | "none"): readonly ProvidedFile[] {
  const hosts = network === "host" ? readOrEmpty("/etc/hosts") : "";
  return [
    { path: "/etc/hostname", content: `${hostname}\n` },
    { path: "/etc/hosts", content: `${withNewline(hosts || LOCALHOST)}127.0.1.1\t${hostname}\n` },
    { path: "/etc/resolv.conf", content: network === "host" ? readOrEmpty("/etc/resolv.conf") : "" },
  ];
}

const withNewline = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);

function readOrEmpty(path: string): string {
  return (readSmallText(path) ?? "").replaceAll("\0", "");
}
