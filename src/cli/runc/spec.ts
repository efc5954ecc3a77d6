/** `spec [OPTIONS]`: writes a configuration to start from. */
import { writeSpec } from "../../engine/bundle/spec.ts";
import { HELP } from "../command_spec.ts";
import { BUNDLE, type Command } from "./command.ts";

/** The command. */
export const command: Command = {
  name: "spec",
  description: "Write a config.json to start from",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [
    BUNDLE,
    {
      name: "file",
      alias: "f",
      kind: "string",
      value: "file",
      help: "Name of the file (default config.json)",
    },
    HELP,
    { name: "rootless", kind: "boolean", help: "For an ordinary user: with a user namespace" },
  ],
  examples: [
    { line: "spec", does: "Write config.json into the current directory" },
    { line: "spec --rootless --bundle ~/web", does: "Write one that an ordinary user can run" },
  ],
  async execute(parsed) {
    const file = parsed.text("file");
    writeSpec({
      bundle: parsed.text("bundle") ?? ".",
      rootless: parsed.flag("rootless"),
      ...(file === undefined ? {} : { file }),
    });
    return 0;
  },
};
