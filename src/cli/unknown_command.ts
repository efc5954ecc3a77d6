/** The error for a command that does not exist. */
import { CommandLineError, EXIT_ARGUMENTS } from "./command_line_error.ts";
import { COMMANDS } from "./specs.ts";
import { nearest } from "./suggest.ts";

const BACKGROUND = "bunker runs containers in the foreground only, until now: bunker run";

/** What docker has and bunker has not, and what to do instead. */
const ELSEWHERE: ReadonlyArray<readonly [words: readonly string[], hint: string]> = [
  [
    ["build", "builder", "buildx"],
    "Build images with another tool, and bring them by bunker load or bunker pull",
  ],
  [["attach", "create", "exec", "kill", "logs", "ps", "rm", "start", "stop", "wait"], BACKGROUND],
  [["container", "pause", "port", "rename", "restart", "stats", "top", "unpause", "update"], BACKGROUND],
  [["cp"], "Use bunker export, which writes all files, and tar"],
  [["compose", "network", "volume"], "Give directories by -v, and the host's network or none by --network"],
  [["manifest"], "Use bunker copy --all, which copies the images of all platforms"],
  [["search"], "Search on the registry's web site"],
];

/** Names the word that is no command, and the command that was probably meant. */
export function unknownCommand(word: string): CommandLineError {
  const hint = ELSEWHERE.find(([words]) => words.includes(word))?.[1] ?? suggestion(word);
  return new CommandLineError(`unknown command: "bunker ${word}"`, {
    exitCode: EXIT_ARGUMENTS,
    ...(hint === undefined ? {} : { hint }),
  });
}

function suggestion(word: string): string | undefined {
  const near = nearest(
    word,
    COMMANDS.map(({ name }) => name),
  );
  return near === undefined ? undefined : `Did you mean "bunker ${near}"?`;
}
