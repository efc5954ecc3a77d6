/** Suggestions for a misspelt name in an error's hint. */

/** A suggestion must need at most this many single-character edits. */
const EDITS_MAX = 3;
/** Longer input is no typing error; also bounds the quadratic comparison. */
const LENGTH_MAX = 64;

/** The candidate that is nearest to `name` by edit distance, or undefined when none is near. */
export function closestName<Name extends string>(name: string, candidates: Iterable<Name>): Name | undefined {
  if (name.length > LENGTH_MAX) return undefined;
  let closest: Name | undefined;
  // Half of a short name may not be made up: "X" is near nothing.
  let limit = Math.min(EDITS_MAX, Math.floor(name.length / 2)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(name, candidate);
    if (edits >= limit) continue;
    closest = candidate;
    limit = edits;
  }
  return closest;
}

/** Levenshtein distance: insertions, deletions and replacements of single characters. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
