/** buildah with the runtime under test. */
import { startBuildah } from "./buildah.ts";
import { buildahTests } from "./buildah_rows.ts";
import { defineRows } from "./row.ts";

defineRows({ ...buildahTests, start: startBuildah });
