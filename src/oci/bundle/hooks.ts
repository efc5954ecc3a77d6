/** `hooks`: programs of the host and of the container that run at fixed points (config.md#posix-platform-hooks). */

import type { HookKind, Hooks } from "./config.ts";
import { argumentsSchema, environment } from "./process.ts";
import { absolutePath, list, record, type Schema, whole } from "./schema.ts";

/** Most hooks of one kind; real configurations have a handful. */
const HOOKS_MAX = 1024;
/** Seconds of the longest timeout, 24 days: what a timer of 2^31 milliseconds holds. */
const TIMEOUT_MAX = 2_147_483;

const SECTION = "config.md#posix-platform-hooks";

const hook = record(
  SECTION,
  { path: absolutePath, args: argumentsSchema, env: environment, timeout: whole(1, TIMEOUT_MAX) },
  { required: ["path"] },
);

const hookList = list(hook, HOOKS_MAX);

/** config.md#posix-platform-hooks */
export const hooks = record<Hooks>(SECTION, {
  prestart: hookList,
  createRuntime: hookList,
  createContainer: hookList,
  startContainer: hookList,
  poststart: hookList,
  poststop: hookList,
} satisfies Record<HookKind, Schema>);
