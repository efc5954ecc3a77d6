/** dockerd with `userns-remap` and the runtime under test. */
import { startDocker } from "./docker.ts";
import { USER } from "./host.ts";
import { remapTests } from "./remap_rows.ts";
import { defineRows } from "./row.ts";

const settings = { "userns-remap": USER.name };

defineRows({
  ...remapTests,
  start: () => startDocker({ hostName: "remap-host", isDefault: true, settings }),
});
