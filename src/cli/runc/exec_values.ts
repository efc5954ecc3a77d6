/** Values of exec's options, which no other command reads; anything but the form is refused. */
import { parseCapabilities } from "../../engine/options/capability.ts";
import { parseUser } from "../../engine/options/user.ts";
import { CommandLineError } from "../command_line_error.ts";

/** A user of exec; without a group the container's own stays. */
export interface ExecUser {
  readonly uid: number;
  readonly gid?: number;
}

/**
 * `UID[:GID]`, numbers only: the runtime reads no file of the image.
 * @throws {CommandLineError} for a name, a sign, white space, and what is no user id (CVE-2026-30892).
 */
export function execUser(text: string): ExecUser {
  const { user, group } = readUser(text);
  if (user.kind === "name" || group?.kind === "name") {
    throw new CommandLineError(`invalid value "${text}" for --user: expected UID or UID:GID in numbers`);
  }
  return { uid: user.id, ...(group === undefined ? {} : { gid: group.id }) };
}

/** `--additional-gids`, each a number, several parted by commas. @throws {CommandLineError} for anything else. */
export function additionalGids(texts: readonly string[]): readonly number[] {
  return texts
    .flatMap((text) => text.split(","))
    .map((text) => {
      const { user, group } = readUser(text);
      if (user.kind === "id" && group === undefined) return user.id;
      throw new CommandLineError(`invalid value "${text}" for --additional-gids: expected a number`);
    });
}

function readUser(text: string): ReturnType<typeof parseUser> {
  try {
    return parseUser(text);
  } catch (error) {
    throw new CommandLineError(`invalid value "${text}" for an id`, { cause: error });
  }
}

/** `KEY=VALUE`. @throws {CommandLineError} without either; the message does not show what may be a secret. */
export function environment(texts: readonly string[]): readonly string[] {
  for (const text of texts) {
    if (!/^[^=\0]+=[^\0]*$/s.test(text)) {
      throw new CommandLineError("invalid value for --env: expected KEY=VALUE");
    }
  }
  return texts;
}

/** `--cap`: `CAP_NET_ADMIN`. @throws {CommandLineError} for what cannot be a capability. */
export function capabilities(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    try {
      return parseCapabilities(text);
    } catch (error) {
      throw new CommandLineError(`invalid value "${text}" for --cap`, { cause: error });
    }
  });
}
