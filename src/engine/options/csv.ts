/** One line of comma-separated fields with quotes (RFC 4180), which is the form of `--mount`. */

/**
 * The fields of a line. A field in double quotes may hold commas, and `""` for a quote.
 * @throws {SyntaxError} for a quote that is not closed, or in the middle of a field.
 */
export function parseCsvLine(line: string): readonly string[] {
  const fields: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const match = pattern.exec(line);
    if (match === null)
      throw new SyntaxError(`Cannot parse "${line}": a quote is not closed, or not at the edge`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") return fields;
  }
}
