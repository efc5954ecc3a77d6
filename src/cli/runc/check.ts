/** `check [OPTIONS]`: every fault of a bundle, a line each with its JSON path; nothing is made. */
import { checkBundle } from "../../engine/bundle/check.ts";
import { writeText } from "../../engine/bundle/stream.ts";
import { HELP } from "../command_spec.ts";
import { harmless } from "../output.ts";
import { BUNDLE, CONFIG, type Command, TABLE_OR_JSON, wantsJson } from "./command.ts";

const STDOUT = 1;

/** Exit code when there are faults. */
const EXIT_FAULTY = 1;

/** The command. */
export const command: Command = {
  name: "check",
  description: "Check a bundle, and print every fault with its JSON path",
  usage: "[OPTIONS]",
  interspersed: true,
  operands: { min: 0, max: 0 },
  options: [BUNDLE, CONFIG, TABLE_OR_JSON, HELP],
  examples: [
    { line: "check --bundle /srv/web", does: "Print the faults; exit code 1 if there are any" },
    { line: "check --format json", does: "The same for a program" },
  ],
  async execute(parsed) {
    const asJson = wantsJson(parsed);
    const faults = await checkBundle(parsed.text("bundle") ?? ".", parsed.text("config"));
    if (asJson) {
      const shown = faults.map(({ path, message, section }) => ({ path, message, section }));
      writeText(STDOUT, `${JSON.stringify(shown, undefined, 2)}\n`);
    } else {
      writeText(STDOUT, faults.map(({ line }) => `${harmless(line)}\n`).join(""));
    }
    return faults.length === 0 ? 0 : EXIT_FAULTY;
  },
};
