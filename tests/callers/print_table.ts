/**
 * Prints the lines of the table in docs/callers.md.
 *
 *     Usage: bun tests/callers/print_table.ts
 */
import { rowTitles } from "./callers.ts";

for (const [caller, titles] of Object.entries(rowTitles)) {
  for (const title of titles) console.log(`| ${caller} | ${title} |`);
}
