/** Sizes, ages and tables as docker prints them. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Three significant digits and a decimal unit, e.g. `7.83MB`. `bytes` is not negative. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would round to "1e+3": the next unit is due earlier than at 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))}${UNITS[unit]}`;
}

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_H = 24;
const WEEK_H = 7 * DAY_H;
const MONTH_H = 30 * DAY_H;
const YEAR_H = 365 * DAY_H;

/** How long ago `date` was, in docker's words: `3 weeks ago`, `About an hour ago`. */
export function formatAge(date: Date, now: Date): string {
  const seconds = Math.trunc((now.getTime() - date.getTime()) / 1000);
  return `${formatDuration(Math.max(0, seconds))} ago`;
}

function formatDuration(seconds: number): string {
  if (seconds < 1) return "Less than a second";
  if (seconds < MINUTE_S) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.trunc(seconds / MINUTE_S);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(seconds / HOUR_S + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 2 * DAY_H) return `${hours} hours`;
  if (hours < 2 * WEEK_H) return `${Math.trunc(hours / DAY_H)} days`;
  if (hours < 2 * MONTH_H) return `${Math.trunc(hours / WEEK_H)} weeks`;
  if (hours < 2 * YEAR_H) return `${Math.trunc(hours / MONTH_H)} months`;
  return `${Math.trunc(hours / YEAR_H)} years`;
}

/** A time as Go prints it: `2026-01-02 03:04:05 +0000 UTC`, without fractions of a second. */
export function formatGoTime(date: Date): string {
  const [day, time = ""] = date.toISOString().split("T");
  return `${day} ${time.slice(0, "03:04:05".length)} +0000 UTC`;
}

/** `2026-01-02T03:04:05Z`, without fractions of a second. */
export const formatRfc3339 = (date: Date): string => date.toISOString().replace(/\.\d+/, "");

/** Narrowest column, and blanks between two: those of docker's tables. */
const COLUMN_WIDTH_MIN = 10;
const COLUMN_GAP = 3;

/** Lines of a table, each column as wide as its widest cell; the last column is not filled up. */
export function formatTable(rows: readonly (readonly string[])[], columnWidthMin = COLUMN_WIDTH_MIN): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? columnWidthMin, Bun.stringWidth(cell) + COLUMN_GAP);
    }
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const isLast = column === row.length - 1;
        return isLast ? cell : cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell));
      })
      .join(""),
  );
  return lines.map((line) => `${line}\n`).join("");
}
