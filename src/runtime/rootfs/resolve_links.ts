/**
 * A path of an image without its symbolic links, which are followed inside the root as far as there are any: the last
 * names may not be there yet, as with the /etc/resolv.conf of many images. Only a hint for the plan, whose steps look
 * the path up again and follow nothing.
 */
import {
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "../../linux/abi/fcntl.ts";
import { callRaw } from "../../linux/call.ts";
import { tryOpenat2, tryReadlinkat } from "../../linux/file.ts";

/** The kernel follows 40 (path_resolution(7)). */
const LINKS_MAX = 40;
const itself = {
  flags: O_PATH | O_NOFOLLOW | O_CLOEXEC,
  resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
};

/** The path without links; as it was when there are too many. @param path absolute and clean */
export function resolveLinks(rootFd: number, path: string): string {
  let links = 0;
  const done: string[] = [];
  const left = path.split("/").slice(1).reverse();
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop();
      continue;
    }
    const target = readLink(rootFd, [...done, name].join("/"));
    if (target === undefined) {
      done.push(name);
      continue;
    }
    links += 1;
    if (links > LINKS_MAX) return path;
    if (target.startsWith("/")) done.length = 0;
    left.push(...target.split("/").reverse());
  }
  return `/${done.join("/")}`;
}

/** Target of a symbolic link in the root; undefined for anything else, and for nothing. */
function readLink(rootFd: number, path: string): string | undefined {
  const fd = tryOpenat2(rootFd, path, itself);
  if (fd < 0) return undefined;
  const target = tryReadlinkat(fd, "");
  callRaw("close", fd);
  return typeof target === "number" ? undefined : target.toString();
}
