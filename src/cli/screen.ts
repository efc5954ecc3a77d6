/** Where a display of progress is drawn. */

/** The screen that a display draws on; its size may change meanwhile. */
export interface Screen {
  /** Writes text as it is. */
  write(text: string): void;
  /** Whether the cursor can be moved. */
  readonly isTerminal: boolean;
  /** Characters in a line, and lines; asked for at every drawing. */
  size(): { readonly columns: number; readonly rows: number };
}
