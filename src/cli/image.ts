/** `bunker image COMMAND`: docker's longer names of the commands about images, and those that have no other. */
import type { EngineContext } from "../engine/context.ts";
import { type CommandGroup, type GroupMember, runGroup } from "./command_group.ts";
import { importSpec } from "./container_specs.ts";
import {
  historySpec,
  imagePruneSpec,
  imageSpec,
  inspectSpec,
  loadSpec,
  rmiSpec,
  saveSpec,
  tagSpec,
} from "./image_specs.ts";
import {
  imageLsSpec,
  imageMountSpec,
  imageTreeSpec,
  imageUnmountSpec,
  imageWhichSpec,
} from "./image_view_specs.ts";
import { pushSpec } from "./registry_specs.ts";
import { pullSpec } from "./specs.ts";

const members: readonly GroupMember[] = [
  {
    name: "ls",
    aliases: ["list"],
    spec: imageLsSpec,
    load: async () => (await import("./image_ls.ts")).list,
  },
  { name: "tree", spec: imageTreeSpec, load: async () => (await import("./image_tree.ts")).printTree },
  { name: "mount", spec: imageMountSpec, load: async () => (await import("./image_mount.ts")).mount },
  {
    name: "unmount",
    aliases: ["umount"],
    spec: imageUnmountSpec,
    load: async () => (await import("./image_mount.ts")).unmount,
  },
  { name: "which", spec: imageWhichSpec, load: async () => (await import("./image_which.ts")).which },
  { name: "pull", spec: pullSpec, load: async () => (await import("./pull.ts")).pullImage },
  { name: "push", spec: pushSpec, load: async () => (await import("./push.ts")).pushImage },
  { name: "tag", spec: tagSpec, load: async () => (await import("./tag.ts")).tag },
  {
    name: "rm",
    aliases: ["remove"],
    spec: rmiSpec,
    load: async () => (await import("./rmi.ts")).removeImages,
  },
  { name: "inspect", spec: inspectSpec, load: async () => (await import("./inspect.ts")).inspect },
  { name: "history", spec: historySpec, load: async () => (await import("./history.ts")).printHistory },
  { name: "save", spec: saveSpec, load: async () => (await import("./save.ts")).save },
  { name: "load", spec: loadSpec, load: async () => (await import("./load.ts")).load },
  { name: "import", spec: importSpec, load: async () => (await import("./import.ts")).importArchive },
  { name: "prune", spec: imagePruneSpec, load: async () => (await import("./image_prune.ts")).prune },
];

/** What stands below `bunker image`. */
export const IMAGE_GROUP: CommandGroup = { spec: imageSpec, members };

/** Runs the command that `words` begin with. @returns the exit code. */
export function runImageCommand(words: readonly string[], context: EngineContext): Promise<number> {
  return runGroup(IMAGE_GROUP, words, context);
}
