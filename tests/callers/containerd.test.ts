/** containerd with the runtime under test. */
import { startContainerd } from "./containerd.ts";
import { containerdTests } from "./containerd_rows.ts";
import { defineRows } from "./row.ts";

defineRows({ ...containerdTests, start: startContainerd });
