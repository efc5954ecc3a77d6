/** `bunker copy`: progress goes to stderr, and the complete name of the destination to stdout. */

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { EngineContext } from "../engine/context.ts";
import { UsageError } from "../errors.ts";
import { readCommandLine } from "./command_line.ts";
import { interruptible } from "./interruption.ts";
import { harmless, writeOut } from "./output.ts";
import { copySpec } from "./registry_specs.ts";
import { tlsVerifyOf } from "./tls_verify.ts";

/** Copies the image that the words name. @returns the exit code. */
export async function copy(words: readonly string[], context: EngineContext): Promise<number> {
  const parsed = await readCommandLine(copySpec, words);
  if (parsed === undefined) return 0;
  const [source = "", destination = ""] = parsed.operands;
  const [{ copyImage }, observer] = await Promise.all([
    import("../engine/copy_image.ts"),
    parsed.flag("quiet") ? undefined : (await import("./progress.ts")).openCopyProgress(),
  ]);
  const { target, digest } = await copyImage(
    [source, destination],
    {
      all: parsed.flag("all"),
      platform: parsed.text("platform"),
      referrers: parsed.flag("referrers"),
      artifactTypes: parsed.list("artifact-type"),
      observer,
      tlsVerify: tlsVerifyOf(parsed),
    },
    { ...context, interruptible },
  );
  writeDigest(parsed.text("digestfile"), digest);
  writeOut(`${harmless(target)}\n`);
  return 0;
}

function writeDigest(file: string | undefined, digest: string): void {
  if (file === undefined) return;
  try {
    // Without a line feed, as skopeo and podman write it.
    writeFileSync(resolve(file), digest);
  } catch (cause) {
    throw new UsageError(`Cannot write the digest to "${file}"`, { cause });
  }
}
