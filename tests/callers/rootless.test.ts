/** podman as an ordinary user, with the runtime under test. */
import { startRootless } from "./rootless.ts";
import { rootlessTests } from "./rootless_rows.ts";
import { defineRows } from "./row.ts";

defineRows({ ...rootlessTests, start: startRootless });
