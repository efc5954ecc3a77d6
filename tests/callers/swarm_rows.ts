/** Rows of Docker Swarm, on three hosts with the runtime as default. */
import { expect } from "bun:test";
import { RUNTIME_NAME } from "./docker.ts";
import { until } from "./host.ts";
import type { CallerTests, Rows } from "./row.ts";
import type { Swarm } from "./swarm.ts";

const SLEEPS = ["sleep", "1000"];
const NAME = "work";
/** Tasks end at once, and so do the rows. */
const QUICK = ["--stop-grace-period=0s", "--restart-delay=100ms"];

const rows: Rows<Swarm> = {
  "node ls: three hosts are ready": async (swarm) => {
    const states = await swarm.manager.succeed(["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]);

    expect(states.split("\n").sort()).toEqual(["node-1 Ready", "node-2 Ready", "node-3 Ready"]);
  },

  "service create --replicas: its tasks are spread over all hosts": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--replicas=3"], SLEEPS);

    expect(await swarm.running(NAME, 3)).toEqual(["node-1", "node-2", "node-3"]);
    const runtimes = swarm.nodes.map(async (node) => {
      const id = await node.succeed(["ps", "-q"]);
      return node.inspect("{{.HostConfig.Runtime}} {{.State.Status}}", id);
    });
    expect(await Promise.all(runtimes)).toEqual(Array(3).fill(`${RUNTIME_NAME} running`));
  },

  "service create --mode=global: one task on each host": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--mode=global"], SLEEPS);

    expect(await swarm.running(NAME, 3)).toEqual(["node-1", "node-2", "node-3"]);
  },

  "service scale: from three to six, and to two": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--replicas=3"], SLEEPS);
    await swarm.running(NAME, 3);

    await swarm.manager.succeed(["service", "scale", "--detach", `${NAME}=6`]);
    expect(await swarm.running(NAME, 6)).toEqual([
      "node-1",
      "node-1",
      "node-2",
      "node-2",
      "node-3",
      "node-3",
    ]);

    await swarm.manager.succeed(["service", "scale", "--detach", `${NAME}=2`]);
    await swarm.running(NAME, 2);
    await until("two containers are left", async () => (await containers(swarm)) === 2);
  },

  "service update: limits and a variable, task by task": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--replicas=2"], SLEEPS);
    await swarm.running(NAME, 2);

    const change = ["--env-add=COLOUR=red", "--limit-memory=32m", "--update-delay=0s"];
    await swarm.manager.succeed(["service", "update", "--detach", ...change, NAME]);

    await until("both are new", async () => (await redOnes(swarm)) === 2);
  },

  "service: a task that is killed is replaced": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--replicas=3"], SLEEPS);
    await swarm.running(NAME, 3);
    const [, second] = swarm.nodes;
    const id = await second?.succeed(["ps", "-q"]);

    await second?.succeed(["kill", String(id)]);

    await until("another one", async () => ![id, ""].includes(await second?.succeed(["ps", "-q"])));
  },

  "network create --driver=overlay: a task reaches one on another host by its name": async (swarm) => {
    await swarm.manager.succeed(["network", "create", "--driver=overlay", "across"]);
    const options = [...QUICK, "--network=across", "--endpoint-mode=dnsrr"];
    await swarm.create(
      "web",
      [...options, "--constraint=node.hostname==node-2"],
      ["httpd", "-f", "-h", "/www"],
    );
    await swarm.running("web", 1);

    const get = "until wget -q -O - http://web/; do sleep 0.2; done; sleep 1000";
    await swarm.create("client", [...options, "--constraint=node.hostname==node-3"], ["sh", "-c", get]);
    await swarm.running("client", 1);

    const client = swarm.nodes[2];
    const id = String(await client?.succeed(["ps", "-q"]));
    await until("it is served", async () => (await client?.succeed(["logs", id])) === "served");
    await swarm.reset();
    await until(
      "it is gone",
      async () => (await swarm.manager.run(["network", "rm", "across"])).exitCode === 0,
    );
  },

  // The last one, since the host does not come back.
  "the loss of a host: its tasks run on the others": async (swarm) => {
    await swarm.create(NAME, [...QUICK, "--replicas=6"], SLEEPS);
    await swarm.running(NAME, 6);

    const lost = await swarm.lose();

    expect(await swarm.running(NAME, 6)).toEqual(Array(3).fill(["node-1", "node-2"]).flat().sort());
    expect(await swarm.manager.succeed(["node", "ls"])).toMatch(new RegExp(`${lost} +Down`));
    await until("six containers run", async () => (await containers(swarm)) === 6);
  },
};

/** Running containers on all hosts. */
async function containers(swarm: Swarm): Promise<number> {
  const lists = await Promise.all(swarm.nodes.map((node) => node.succeed(["ps", "-q"])));
  return lists.flatMap((list) => list.split("\n").filter(Boolean)).length;
}

/** Running containers that have the variable and the limit. */
async function redOnes({ nodes }: Swarm): Promise<number> {
  const counts = nodes.map(async (node) => {
    const ids = (await node.succeed(["ps", "-q"])).split("\n").filter(Boolean);
    const shown = await Promise.all(
      ids.map((id) => node.run(["inspect", "--format", "{{.Config.Env}} {{.HostConfig.Memory}}", id])),
    );
    return shown.filter(({ stdout }) => stdout.includes("COLOUR=red") && stdout.includes(String(32 << 20)))
      .length;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** Swarm's rows and what they need. */
export const swarmTests: Omit<CallerTests<Swarm>, "start"> = {
  name: "docker swarm",
  needs: ["docker engine", "program ip"],
  rows,
};
