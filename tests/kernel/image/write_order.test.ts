/** The order in which commands flush and name what they bring: what holds on every disk, whatever it keeps of the rest. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { PULL_NEEDS, PullPlace } from "../../helpers/pull_place.ts";
import { kernelTest } from "../../helpers/sandbox.ts";
import { storeVerbs, verbImages } from "../../helpers/store_verbs.ts";
import { orderFaults, WRITE_ORDER_OPTIONS } from "../../helpers/write_order.ts";

const VERBS = [
  "pull",
  "the first pull",
  "pull of a large layer",
  "pull of layers that become files",
  "pull of a tag that means another image",
  "load",
  "import",
  "tag",
];
const COMMAND_MS_MAX = 60_000;

describe("what a command names is flushed, and then its name", () => {
  for (const verb of storeVerbs.filter(({ name }) => VERBS.includes(name))) {
    kernelTest(
      `in ${verb.name}`,
      [...PULL_NEEDS, "program strace"],
      async (sandbox) => {
        await using place = new PullPlace(sandbox, verbImages);
        await verb.before(place);
        const file = `${sandbox.directory}/order`;

        const { exitCode } = await place.bunker(verb.words(place), {
          wrapper: ["strace", ...WRITE_ORDER_OPTIONS, "-o", file],
          timeoutMs: COMMAND_MS_MAX,
          env: verb.env?.(place) ?? {},
        });

        const trace = readFileSync(file, "latin1");
        expect({ exitCode, faults: orderFaults(trace, sandbox.root) }).toEqual({ exitCode: 0, faults: [] });
        expect(trace).toMatch(/rename\(".*\/refs\//);
      },
      COMMAND_MS_MAX,
    );
  }
});
