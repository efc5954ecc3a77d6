/**
 * Temporary directories for archives that are taken apart. Each is locked by its maker; one whose lock is free was left by
 * a copy that was killed, and goes with the next.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { Lock } from "../../fs/lock.ts";

const PREFIX = "bunker-archive-";
/** A directory this young may be between its making and its locking. */
const YOUNG_MS = 60_000;

/** A directory of this process alone; disposing of it removes it. */
export class ArchiveDirectory implements Disposable {
  readonly path: string;
  readonly #lock: Lock | undefined;

  /** Removes what others have left, too. @throws what mkdtemp(3) meets: ENOSPC, EACCES … */
  constructor(parent: string = tmpdir()) {
    for (const name of readdirSync(parent)) if (name.startsWith(PREFIX)) removeAbandoned(`${parent}/${name}`);
    this.path = mkdtempSync(`${parent}/${PREFIX}`);
    this.#lock = Lock.tryTake(this.path);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
    this.#lock?.[Symbol.dispose]();
  }
}

/** Only directories of this user, whose name nobody else can give to something else: temporary places are sticky. */
function removeAbandoned(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true || stat.uid !== process.geteuid?.()) return;
  if (Date.now() - stat.mtimeMs < YOUNG_MS) return;
  using lock = Lock.tryTake(path);
  if (lock !== undefined) rmSync(path, { recursive: true, force: true });
}
