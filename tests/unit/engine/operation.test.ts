import { describe, expect, test } from "bun:test";
import { operation, type Report } from "../../../src/engine/operation.ts";

/** Work that ends when it is told to. */
function started() {
  const end = Promise.withResolvers<string>();
  let report: Report<number> = () => undefined;
  const running = operation<string, number>((tell) => {
    report = tell;
    return end.promise;
  });
  return { running, end, report: (part: string, step: number) => report(part, step) };
}

/** Rejections that nobody has handled meanwhile. */
async function unhandled(during: () => Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const note = (reason: unknown): void => void seen.push(reason);
  process.on("unhandledRejection", note);
  try {
    await during();
  } finally {
    process.off("unhandledRejection", note);
  }
  return seen;
}

async function stepsOf(steps: AsyncIterable<number>): Promise<number[]> {
  const seen: number[] = [];
  for await (const step of steps) seen.push(step);
  return seen;
}

describe("operation()", () => {
  test("is a promise of the result, whether somebody looks at the steps or not", async () => {
    const { running, end, report } = started();
    report("a", 1);
    end.resolve("done");

    expect(await running).toBe("done");
  });

  test("gives the latest step of each part, and ends with the work", async () => {
    const { running, end, report } = started();
    for (const step of [1, 2, 3]) report("a", step);
    report("b", 10);
    const seen = stepsOf(running);
    await Bun.sleep(1);
    report("a", 4);
    await Bun.sleep(1);
    report("b", 11);
    end.resolve("done");

    expect(await seen).toEqual([3, 10, 4, 11]);
  });

  test("throws the error of the work, to whoever iterates too", async () => {
    const { running, end } = started();
    const seen = stepsOf(running);
    end.reject(new Error("no"));

    expect(seen).rejects.toThrow("no");
    expect(running).rejects.toThrow("no");
    await Promise.allSettled([seen, running]);
  });

  test("keeps a failure for a reader that is busy with a step", async () => {
    const { running, end, report } = started();
    report("a", 1);
    const read = async (): Promise<void> => {
      for await (const _ of running) {
        end.reject(new Error("no"));
        await Bun.sleep(5);
      }
    };

    const missed = await unhandled(async () => expect(read()).rejects.toThrow("no"));

    expect(missed).toEqual([]);
  });

  test("lets a reader leave early: the work goes on", async () => {
    const { running, end, report } = started();
    report("a", 1);
    for await (const _ of running) break;
    report("a", 2);
    end.resolve("done");

    expect(await running).toBe("done");
  });
});
