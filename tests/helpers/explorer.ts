/** The program that stands in for the challenge's own inside the container: compiled from explorer/explorer.c, static. */
const SOURCE = new URL("explorer/explorer.c", import.meta.url).pathname;

/** Compiles it to `path`. @throws {Error} with the compiler's words. */
export async function compileExplorer(path: string): Promise<void> {
  const flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-s"];
  const gcc = Bun.spawn(["gcc", ...flags, "-o", path, SOURCE], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const errors = await gcc.stderr.text();
  if ((await gcc.exited) !== 0) throw new Error(`gcc failed: ${errors}`);
}
