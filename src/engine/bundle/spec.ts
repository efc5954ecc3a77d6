/** Writes a new bundle's config.json. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "./context.ts";
import { CONFIG_FILE, starterConfig } from "./starter_config.ts";

/** Where the configuration goes, and for whom it is. */
export interface SpecOptions {
  /** Directory of the bundle. */
  readonly bundle: string;
  /** Name in the bundle, or an absolute path [config.json]. */
  readonly file?: string;
  /** For an ordinary user: a user namespace that maps the caller. */
  readonly rootless: boolean;
}

/** Writes the file. @throws {RuntimeError} when it exists, or cannot be written. */
export function writeSpec({ bundle, file = CONFIG_FILE, rootless }: SpecOptions): void {
  const user = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const text = `${JSON.stringify(starterConfig(rootless ? user : undefined), undefined, "\t")}\n`;
  try {
    writeFileSync(file.startsWith("/") ? file : join(bundle, file), text, { flag: "wx", mode: 0o666 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new RuntimeError(`File ${file} exists. Remove it first`, { cause: error });
    }
    throw new RuntimeError(`Cannot write "${file}" into "${bundle}"`, { cause: error });
  }
}
