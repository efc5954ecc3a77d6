/**
 * What no pull can do without, each part measured alone: sha256 of the blobs and of the archives, decompression, and the same
 * bytes written to files. The parts run in a process of their own (limit_parts.ts), so that its processor time is theirs.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuiltImage } from "../tests/helpers/image_builder.ts";
import type { BenchImage } from "./images.ts";
import type { LimitParts } from "./limit_parts.ts";
import { output } from "./workspace.ts";

const BYTES_PER_GB = 1e9;
/** Below this the numbers would say nothing. */
const TAR_BYTES_MIN = 1e6;
/** The parts are measured so often, and the fastest counts: it is a limit. */
const RUNS = 3;

/** An image, and what its pull took. */
export interface Limited {
  readonly archives: BenchImage;
  readonly image: BuiltImage;
  /** Processor time of the whole pull. */
  readonly cpuMs: number;
  /** An empty directory; removed. */
  readonly place: string;
}

/** A sentence: processor seconds for a GB of tar beside the sum of the parts. */
export function describeLimit({ archives, image, cpuMs, place }: Limited): string {
  const tarBytes = archives.layers.reduce((sum, { length }) => sum + length, 0);
  try {
    if (tarBytes < TAR_BYTES_MIN) return "";
    image.layers.forEach(({ blob }, index) => {
      writeFileSync(`${place}/blob${index}`, blob);
    });
    const runs = Array.from({ length: RUNS }, (_, run) => measureParts(place, image.layers.length, run));
    const least = (part: keyof LimitParts): number =>
      (Math.min(...runs.map((each) => each[part])) / tarBytes) * BYTES_PER_GB;
    const parts = [least("sha256"), least("inflate"), least("write")] as const;
    const sum = parts.reduce((total, part) => total + part, 0);
    const own = (cpuMs / 1000 / tarBytes) * BYTES_PER_GB;
    const [hashing, inflating, writing] = parts.map((part) => part.toFixed(2));
    return (
      `CPU seconds for a GB of tar: bunker ${own.toFixed(2)}; sha256 of blobs and archives ${hashing}, decompression ` +
      `${inflating}, the same bytes written to files ${writing}, together ${sum.toFixed(2)}: ` +
      `${Math.round((sum / own) * 100)} % of the limit.\n`
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function measureParts(place: string, layers: number, run: number): LimitParts {
  const program = join(import.meta.dir, "limit_parts.ts");
  return JSON.parse(output([process.execPath, program, place, String(layers), String(run)])) as LimitParts;
}
