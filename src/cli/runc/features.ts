/** `features`: what the runtime can do, as JSON. */
import { readFeatures } from "../../engine/bundle/features.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { type Command, NO_OPTIONS } from "./command.ts";

const STDOUT = 1;
const INDENT = 4;

/** The command. */
export const command: Command = {
  name: "features",
  description: "Print what the runtime can do as JSON",
  usage: "",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: NO_OPTIONS,
  examples: [{ line: "features", does: "Print it" }],
  async execute() {
    writeText(STDOUT, `${JSON.stringify(readFeatures(), undefined, INDENT)}\n`);
    return 0;
  },
};
