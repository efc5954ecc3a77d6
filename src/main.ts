/** The entry point of the program: hands the command line over, and leaves with its exit code. */

const words = process.argv.slice(2);

// What every way has loaded, so that the import takes next to nothing; process.exit would take 2 ms (exit.ts).
void begin().then(async (code) => (await import("./linux/exit.ts")).exitNow(code));

/** Each way loads its own code only: start-up is the product. */
async function begin(): Promise<number> {
  // The name that it was started by: a symbolic link makes an OCI runtime of it.
  const name = /(?<=^|\/)(?:runc|bunker-oci)$/.exec(process.argv0)?.[0];
  if (name !== undefined) return (await import("./cli/runc/main.ts")).runRuntime(words, name);
  if (words[0] === "oci")
    return (await import("./cli/runc/main.ts")).runRuntime(words.slice(1), "bunker oci");
  // TASK_WORD of engine/user_namespace_task.ts, which is not to be loaded by every start.
  if (words[0] === "--user-namespace-task")
    return (await import("./cli/task.ts")).runUserNamespaceTask(words[1] ?? "");
  // REMOVAL_WORD of engine/take_garbage.ts.
  if (words[0] === "--remove-abandoned") return (await import("./cli/task.ts")).runRemoval(words[1] ?? "");
  return (await import("./cli/dispatch.ts")).dispatch(words);
}
