/** Describes the machine and the programs that were measured, as Markdown. */
import { cpus, release, totalmem } from "node:os";

/** Programs with the words that make them print their version. */
const VERSIONS: readonly (readonly string[])[] = [
  ["crun", "--version"],
  ["runc", "--version"],
  ["podman", "--version"],
  ["dockerd", "--version"],
  ["docker", "--version"],
  ["skopeo", "--version"],
  ["umoci", "--version"],
  ["curl", "--version"],
];

/** A few sentences: processors, memory, kernel, versions, and `notes`. */
export function describeMachine(notes: readonly string[]): string {
  const model = cpus()[0]?.model ?? "unknown processor";
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const versions = VERSIONS.flatMap(versionOf);
  const sentences = [
    `${cpus().length} processors (${model}), ${memory}, Linux ${release()}, Bun ${Bun.version}.`,
    `Compared with ${versions.join(", ") || "nothing"}.`,
    ...notes,
  ];
  return `${sentences.join(" ")}\n`;
}

function versionOf([program = "", ...words]: readonly string[]): string[] {
  if (Bun.which(program) === null) return [];
  const text = Bun.spawnSync([program, ...words], { stdin: "ignore", stderr: "ignore" }).stdout.toString();
  const number = /\d+\.\d+(?:\.\d+)?/.exec(text)?.[0];
  return [number === undefined ? program : `${program} ${number}`];
}
