/** Docker Swarm with the runtime under test as the default of three hosts. */
import { defineRows } from "./row.ts";
import { startSwarm } from "./swarm.ts";
import { swarmTests } from "./swarm_rows.ts";

defineRows({ ...swarmTests, start: startSwarm });
