/** What the commands tell about themselves: the texts of their help, and their options. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import { commitSpec, diffSpec, exportSpec, importSpec } from "./container_specs.ts";
import {
  FILTER,
  historySpec,
  imageSpec,
  inspectSpec,
  loadSpec,
  rmiSpec,
  saveSpec,
  tagSpec,
} from "./image_specs.ts";
import { FORMAT, JSON_OUTPUT } from "./output_format.ts";
import { copySpec, loginSpec, logoutSpec, pushSpec } from "./registry_specs.ts";
import { runSpec } from "./run_spec.ts";
import { systemSpec } from "./system_specs.ts";
import { TLS_VERIFY } from "./tls_verify.ts";

/** `bunker pull [OPTIONS] NAME[:TAG|@DIGEST]`. */
export const pullSpec: CommandSpec = {
  name: "pull",
  description: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  interspersed: true,
  operands: { min: 1, max: 1 },
  options: [
    { name: "all-tags", alias: "a", kind: "boolean", help: "Pull every tag of the repository" },
    HELP,
    { name: "platform", kind: "string", value: "string", help: "Set platform: os/arch[/variant]" },
    { name: "quiet", alias: "q", kind: "boolean", help: "Suppress the progress, print the reference only" },
    TLS_VERIFY,
    { name: "verbose", alias: "v", kind: "boolean", help: "Say how many pulls the registry still allows" },
  ],
  examples: [
    { line: "bunker pull alpine", does: "Pull alpine:latest from Docker Hub" },
    { line: "bunker pull --platform linux/arm64 debian:12-slim", does: "Pull for another architecture" },
    { line: "bunker pull -q localhost:5000/tools/build:7", does: "Pull from a registry of your own" },
    { line: "bunker pull -a localhost:5000/tools/build", does: "Pull all tags of a repository" },
  ],
};

/** `bunker images [OPTIONS] [REPOSITORY[:TAG]]`. */
export const imagesSpec: CommandSpec = {
  name: "images",
  description: "List local images",
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  interspersed: true,
  operands: { min: 0, max: 1 },
  options: [
    { name: "all", alias: "a", kind: "boolean", help: "For scripts: there are no other images to show" },
    { name: "digests", kind: "boolean", help: "Show digests" },
    FILTER,
    FORMAT,
    HELP,
    JSON_OUTPUT,
    { name: "no-trunc", kind: "boolean", help: "Do not shorten image IDs" },
    { name: "quiet", alias: "q", kind: "boolean", help: "Print image IDs only" },
  ],
  examples: [
    { line: "bunker images", does: "List all images" },
    { line: "bunker images alpine", does: "List the tags of one repository" },
    { line: 'bunker images --format "{{.Repository}}:{{.Tag}}"', does: "List names alone" },
    { line: "bunker images --filter label=stage=test", does: "List images with a label" },
    { line: "bunker images --filter dangling=true", does: "List what newer images have taken the tag from" },
    { line: "bunker images --json", does: "List all images for a program" },
  ],
};

/** `bunker info [OPTIONS]`. */
export const infoSpec: CommandSpec = {
  name: "info",
  description: "Show what this machine allows and what bunker makes of it",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [FORMAT, HELP, JSON_OUTPUT],
  examples: [
    { line: "bunker info", does: "Show the grade of isolation, the directories, the limits" },
    { line: "bunker info --json", does: "The same for a program" },
  ],
};

/** `bunker version [OPTIONS]`. */
export const versionSpec: CommandSpec = {
  name: "version",
  description: "Show the version",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [FORMAT, HELP, JSON_OUTPUT],
  examples: [
    { line: "bunker version", does: "Show the version of bunker, of Bun, and the platform" },
    { line: "bunker version --json", does: "The same for a program" },
  ],
};

/** `bunker oci [OPTIONS] COMMAND`, whose words runc/main.ts reads by itself. */
export const ociSpec: CommandSpec = {
  name: "oci",
  description: "Be an OCI runtime with the command line of runc",
  usage: "[OPTIONS] COMMAND",
  interspersed: false,
  operands: { min: 0, max: Number.POSITIVE_INFINITY },
  options: [HELP],
  examples: [
    { line: "bunker oci --help", does: "List the commands of the runtime" },
    { line: "bunker oci run --bundle /srv/web web", does: "Run a bundle" },
    { line: "ln -s bunker /usr/local/bin/bunker-oci", does: "Give podman, docker or containerd a runtime" },
  ],
};

/** `bunker help [COMMAND]`. */
export const helpSpec: CommandSpec = {
  name: "help",
  description: "Show help for a command",
  usage: "[COMMAND [COMMAND]]",
  interspersed: true,
  operands: { min: 0, max: 2 },
  options: [HELP],
  examples: [
    { line: "bunker help run", does: "Show the options of run" },
    { line: "bunker help image ls", does: "Show those of a command below another" },
  ],
};

/** All commands in the order of `bunker --help`. */
export const COMMANDS: readonly CommandSpec[] = [
  runSpec,
  pullSpec,
  pushSpec,
  copySpec,
  loginSpec,
  logoutSpec,
  imagesSpec,
  tagSpec,
  rmiSpec,
  inspectSpec,
  historySpec,
  saveSpec,
  loadSpec,
  exportSpec,
  importSpec,
  diffSpec,
  commitSpec,
  imageSpec,
  systemSpec,
  infoSpec,
  versionSpec,
  ociSpec,
  helpSpec,
];

/** The command called `name`; undefined when there is none. */
export function findSpec(name: string): CommandSpec | undefined {
  return COMMANDS.find((spec) => spec.name === name);
}
