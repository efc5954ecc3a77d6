/** dockerd with the runtime under test: every row of its own, and those that it shares with podman. */
import { startDocker } from "./docker.ts";
import { dockerTests } from "./docker_rows.ts";
import { defineRows } from "./row.ts";

const settings = { "live-restore": true };

defineRows({
  ...dockerTests,
  start: () => startDocker({ hostName: "docker-host", isDefault: true, settings }),
});
