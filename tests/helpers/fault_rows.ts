/**
 * One row of a table of faults: a registry that does something wrong, and what a pull makes of it. Whatever that is, it comes
 * within a time bound, and the store holds the whole image or what it held before; afterwards the same pull succeeds.
 */
import { expect, test } from "bun:test";
import { BunkerError } from "../../src/errors.ts";
import type { PullOptions } from "../../src/image/pull.ts";
import type { RegistryClientOptions } from "../../src/registry/client.ts";
import type { RegistryErrorCode } from "../../src/registry/registry_error.ts";
import type { RegistryOptions } from "./fake_registry.ts";
import { type BuiltImage, buildImage } from "./image_builder.ts";
import { PullSandbox } from "./pull_sandbox.ts";
import type { Fault } from "./registry_faults.ts";
import { noise } from "./registry_fixture.ts";

/** The image that is pulled: one layer for a lane of threads, one for the thread of the pull. */
export const app: BuiltImage = buildImage({
  layers: [
    { entries: [{ name: "large", data: noise(6_500_000) }], compression: "none" },
    { entries: [{ name: "small", data: "small" }] },
  ],
});
const other = buildImage({ layers: [{ entries: [{ name: "other", data: "other" }] }] });

/** How a pull ends: with the image, or with an error of this code. */
export type FaultOutcome = "the image" | RegistryErrorCode;

/** A row. */
export interface FaultRow {
  readonly registry?: Omit<RegistryOptions, "images">;
  readonly client?: (sandbox: PullSandbox) => RegistryClientOptions;
  readonly faults: (sandbox: PullSandbox) => readonly Fault[];
  readonly outcome: FaultOutcome;
  /** What else is true; the error is there when there was one. */
  readonly also?: (sandbox: PullSandbox, error: BunkerError | undefined) => void;
}

/** No row takes longer, however slow the machine; a pull that hangs takes for ever. */
const BOUND_MS = 50_000;

/** Makes the test of a row. @param title the row's name in the list, and what the registry does */
export function testFault(title: string, row: FaultRow): void {
  test(
    `${title}: ${row.outcome}`,
    async () => {
      await using sandbox = PullSandbox.serve({ "app:latest": app, "other:latest": other }, row.registry);
      const options = pullOptions(row, sandbox);
      await sandbox.pull({ ...options, reference: sandbox.reference("other:latest") });
      sandbox.registry.reset();
      const before = sandbox.content();
      sandbox.registry.break(...row.faults(sandbox));

      const error = await errorOf(within(BOUND_MS, sandbox.pull(options)));

      expect(error?.code ?? "the image").toBe(row.outcome);
      row.also?.(sandbox, error);
      const after = sandbox.content();
      if (error !== undefined) expect(after).toEqual(before);
      expect(after.filter((path) => path.startsWith("tmp/"))).toEqual([]);
      sandbox.registry.reset();
      const { image } = await sandbox.pull(options);
      expect<string>(image.manifestDigest).toBe(app.digest);
    },
    BOUND_MS * 2,
  );
}

function pullOptions({ client }: FaultRow, sandbox: PullSandbox): Partial<PullOptions> {
  return {
    client: {
      retry: { firstDelayMs: 5, totalDelayMsMax: 3000 },
      // A silence in the middle is tried again, one at the beginning is not: a machine may be slow.
      timeouts: { connectMs: 2000, responseMs: 2000, stallMs: 300 },
      ...client?.(sandbox),
    },
  };
}

async function errorOf(work: Promise<unknown>): Promise<BunkerError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BunkerError && error.code !== "INTERNAL") return error;
    throw error;
  }
}

async function within<Result>(boundMs: number, work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("the pull hangs")), boundMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
