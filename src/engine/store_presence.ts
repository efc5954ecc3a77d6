/** Whether there is a store at all: commands that only look make none. */
import { existsSync } from "node:fs";

/** True when something was pulled or loaded into this data root before. */
export const hasStore = (root: string): boolean => existsSync(`${root}/version`);
