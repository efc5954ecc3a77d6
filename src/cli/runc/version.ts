/** `--version`, in the lines that go-runc, dockerd and CRI-O parse. */
import { version } from "../../../package.json";
import { RUNTIME_SPEC_VERSION } from "../../engine/bundle/runtime_spec.ts";
import { writeText } from "../../engine/bundle/stream.ts";

/** Names the build; put in by scripts/build.ts. */
declare const BUNKER_BUILD: string;

const STDOUT = 1;

/** Prints name, version, build and specification. @returns the exit code. */
export function printRuntimeVersion(program: string): number {
  const name = program === "runc" ? program : "bunker-oci";
  const commit = typeof BUNKER_BUILD === "string" ? BUNKER_BUILD : "unknown";
  writeText(STDOUT, `${name} version ${version}\ncommit: ${commit}\nspec: ${RUNTIME_SPEC_VERSION}\n`);
  return 0;
}
