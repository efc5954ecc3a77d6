/**
 * Rows: what a caller is shown to do with the runtime. Each is one test, and one line of docs/callers.md. A row starts with
 * no container, and when it is over nothing may be left in the host that was not there before.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Need, titleOf, whyMissing } from "../helpers/requires.ts";
import type { CallerHost } from "./host.ts";
import { runtimeName, runtimeNeeds } from "./runtime.ts";

/** Bodies by the sentence that each shows. */
export type Rows<Caller> = Readonly<Record<string, (caller: Caller) => Promise<void>>>;

/** What the runner of rows needs of a caller. */
export interface AnyCaller {
  readonly host: Pick<CallerHost, "state" | "leftBehind"> & AsyncDisposable;
  /** Removes all containers, running or not. */
  reset(): Promise<void>;
}

/** Everything about the rows of one caller. */
export interface CallerTests<Caller extends AnyCaller> {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly start: () => Promise<Caller>;
  readonly rows: Rows<Caller>;
  /** Rows that a peer does not pass, with the reason: by title, then by the peer's name. */
  readonly lacking?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const START_MS_MAX = 240_000;
const STOP_MS_MAX = 60_000;
const ROW_MS_MAX = 180_000;

/** Defines one test a row. */
export function defineRows<Caller extends AnyCaller>(tests: CallerTests<Caller>): void {
  const missing = whyMissing(["root", "program busybox", ...tests.needs, ...runtimeNeeds]);
  describe(`${tests.name} with ${runtimeName}`, () => {
    let caller: Caller | undefined;
    beforeAll(async () => {
      if (missing === undefined) caller = await tests.start();
    }, START_MS_MAX);
    afterAll(async () => {
      await caller?.host[Symbol.asyncDispose]();
    }, STOP_MS_MAX);

    // A caller that hangs would make every row wait for its end.
    let hangs = false;
    for (const [title, body] of Object.entries(tests.rows)) {
      const reason = missing ?? tests.lacking?.[title]?.[runtimeName];
      const run = async (): Promise<void> => {
        if (caller === undefined || hangs) throw new Error(`${tests.name} does not answer`);
        const before = caller.host.state();
        hangs = true;
        try {
          await body(caller);
        } finally {
          await caller.reset();
          hangs = false;
        }
        expect(await caller.host.leftBehind(before)).toEqual([]);
      };
      test.skipIf(reason !== undefined)(titleOf(title, reason), run, ROW_MS_MAX);
    }
  });
}
