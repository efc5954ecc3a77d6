/**
 * Exchanges two names of a directory as fast as it can until its standard input ends: the attacker of races.
 *
 *     bun tests/helpers/flip.ts DIRECTORY NAME OTHER
 */
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { callRaw, cstr } from "../../src/linux/call.ts";

const RENAME_EXCHANGE = 2;
/** Exchanges between two looks at standard input. */
const ROUND = 20_000;

const [directory, name, other] = process.argv.slice(2) as [string, string, string];
const [first, second] = [cstr(`${directory}/${name}`), cstr(`${directory}/${other}`)];
let ended = false;
process.stdin.on("end", () => {
  ended = true;
});
process.stdin.resume();
process.stdout.write("ready\n");
while (!ended) {
  for (let turn = 0; turn < ROUND; turn++)
    callRaw("renameat2", AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE);
  await Bun.sleep(0);
}
