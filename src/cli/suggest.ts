/** Finds the name that somebody probably meant. Only loaded once something is wrong. */

/** Longest word that is compared; the work grows with the product of two lengths. */
const WORD_LENGTH_MAX = 64;

/** Greatest distance that still counts as a slip of the fingers. */
const DISTANCE_MAX = 2;

/**
 * The name nearest to `word`: within two edits, and fewer than half of the letters; or the only one that it is the
 * beginning of.
 */
export function nearest(word: string, names: readonly string[]): string | undefined {
  if (word === "" || word.length > WORD_LENGTH_MAX) return undefined;
  const completions = names.filter((name) => name.startsWith(word));
  if (word.length > 1 && completions.length === 1) return completions[0];
  let best: string | undefined;
  let bestDistance = Math.min(DISTANCE_MAX, Math.ceil(word.length / 2) - 1) + 1;
  for (const name of names) {
    const distance = editDistance(word, name);
    if (distance >= bestDistance) continue;
    best = name;
    bestDistance = distance;
  }
  return best;
}

/** Least number of letters to insert, delete, replace, or exchange with their neighbour. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const candidates = [
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
      ];
      const isExchange = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && isExchange) candidates.push(at(beforeLast, column - 2) + 1);
      current.push(Math.min(...candidates));
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
