/** How much a directory tree holds: by descriptors, without following a symbolic link. */
import { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFDIR, S_IFMT } from "../linux/abi/fcntl.ts";
import { close, type Place, readDirectory, tryOpenat, tryStatx } from "../linux/file.ts";
import { type ByteString, cBytes } from "./byte_string.ts";

/** Longest path that the kernel takes; what lies deeper is not counted. */
const PATH_LENGTH_MAX = 4000;

/** What {@link sizeOfTree} counts. */
export interface TreeSize {
  /** Bytes of files, each counted once however many names it has. */
  readonly sizeBytes: number;
  /** Directory entries. */
  readonly entries: number;
}

/** Counts a tree; what vanishes or may not be read meanwhile counts nothing. */
export function sizeOfTree({ dirfd, path }: Place): TreeSize {
  const size = { sizeBytes: 0, entries: 0 };
  const seen = new Set<string>();
  const pending: ByteString[] = [""];
  const top = tryOpenat(dirfd, path, { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
  if (top < 0) return size;
  try {
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const fd = tryOpenat(top, cBytes(at === "" ? "." : at), { flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW });
      if (fd < 0) continue;
      try {
        for (const { name } of readDirectory(fd)) {
          const stat = tryStatx(fd, cBytes(name));
          if (typeof stat === "number") continue;
          size.entries += 1;
          const inner = at === "" ? name : `${at}/${name}`;
          if ((stat.mode & S_IFMT) === S_IFDIR) {
            if (inner.length < PATH_LENGTH_MAX) pending.push(inner);
          } else if (!seen.has(stat.identity)) {
            if (stat.nlink > 1) seen.add(stat.identity);
            size.sizeBytes += stat.size;
          }
        }
      } finally {
        close(fd);
      }
    }
    return size;
  } finally {
    close(top);
  }
}
