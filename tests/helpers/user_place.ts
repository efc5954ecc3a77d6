/** A {@link PullPlace} whose commands an ordinary user runs: all that they write to is this user's. */
import { chmodSync, chownSync } from "node:fs";
import type { BunkerOptions } from "./bunker.ts";
import type { BuiltDocument } from "./image_builder.ts";
import type { PipedResult } from "./pipes.ts";
import { PullPlace } from "./pull_place.ts";
import type { Sandbox } from "./sandbox.ts";

/** Who it is, and what of bunker this user may execute. */
export interface PlaceUser {
  readonly uid: number;
  readonly executable: string;
}

export class UserPlace extends PullPlace {
  readonly #user: PlaceUser;

  constructor(sandbox: Sandbox, images: Readonly<Record<string, BuiltDocument>>, user: PlaceUser) {
    super(sandbox, images);
    this.#user = user;
    chmodSync(sandbox.directory, 0o755);
    chmodSync(this.config, 0o644);
    chownSync(sandbox.directory, user.uid, user.uid);
  }

  /** What traces the command is root's, so that newuidmap stays what it is. */
  override bunker(args: readonly string[], options: Partial<BunkerOptions> = {}): Promise<PipedResult> {
    const { uid, executable } = this.#user;
    const become = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
    const wrapper = [...(options.wrapper ?? []), ...become];
    const env = { HOME: this.sandbox.directory, ...options.env };
    return super.bunker(args, { ...options, wrapper, env, executable });
  }
}
