/**
 * dockerd's own Swarm on three hosts, each with a dockerd and containerd of its own and the runtime as default, connected by
 * a bridge in a fourth:
 *
 *     node-1 (manager) eth0 10.77.0.1 ─┐
 *     node-2           eth0 10.77.0.2 ─┼─ br0 of switch
 *     node-3           eth0 10.77.0.3 ─┘
 */
import { startDockerIn } from "./docker.ts";
import { type Engine, IMAGE } from "./engine.ts";
import { CallerHost, until } from "./host.ts";
import { runtimeName } from "./runtime.ts";

const NODES = 3;
const SUBNET = "10.77.0";
/** Three heartbeats that are missed make a node be down: few of them, where all are to stay. */
const HEARTBEAT = { calm: "10s", quick: "2s" } as const;
/** How long the manager may take to see a lost node and to have its tasks run elsewhere. */
const SETTLE_MS_MAX = 90_000;

/** A task as `docker service ps` lists it. */
export interface Task {
  readonly node: string;
  /** Begins with e.g. `Running` or `Shutdown`. */
  readonly state: string;
}

/** Three joined hosts. */
export class Swarm {
  readonly #switch: CallerHost;
  readonly #nodes: Engine[];

  constructor(center: CallerHost, nodes: readonly Engine[]) {
    this.#switch = center;
    this.#nodes = [...nodes];
  }

  /** The one that schedules. */
  get manager(): Engine {
    return this.#nodes[0] as Engine;
  }

  /** Those that have not been lost. */
  get nodes(): readonly Engine[] {
    return this.#nodes;
  }

  /** All hosts as if they were one; lines begin with the name of the host. */
  readonly host = {
    state: (): readonly string[] =>
      this.#nodes.flatMap(({ host }, index) => host.state().map((line) => `${nodeName(index + 1)} ${line}`)),
    leftBehind: async (before: readonly string[]): Promise<readonly string[]> => {
      const lists = this.#nodes.map(({ host }, index) => {
        const name = `${nodeName(index + 1)} `;
        const own = before.filter((line) => line.startsWith(name));
        return host.leftBehind(own.map((line) => line.slice(name.length)));
      });
      return (await Promise.all(lists)).flat();
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      await Promise.all(
        [...this.#nodes.map(({ host }) => host), this.#switch].map((host) => host[Symbol.asyncDispose]()),
      );
    },
  };

  /** `docker service create OPTIONS… IMAGE COMMAND…` on the manager, without waiting for its tasks. */
  async create(name: string, options: readonly string[], command: readonly string[]): Promise<void> {
    const words = ["service", "create", "--detach", "--no-resolve-image", "--name", name];
    await this.manager.succeed([...words, ...options, IMAGE, ...command]);
  }

  /** Tasks that are to run, wherever and in whatever state they are. */
  async tasks(service: string): Promise<readonly Task[]> {
    const words = [
      "service",
      "ps",
      "--filter",
      "desired-state=running",
      "--format",
      "{{.Node}} {{.CurrentState}}",
    ];
    const lines = (await this.manager.succeed([...words, service])).split("\n").filter(Boolean);
    return lines.map((line) => {
      const [node = "", state = ""] = line.split(" ");
      return { node, state };
    });
  }

  /** Waits until `count` tasks run on nodes that have not been lost. @returns the names of their nodes, sorted */
  async running(service: string, count: number): Promise<readonly string[]> {
    let nodes: readonly string[] = [];
    const isSo = async (): Promise<boolean> => {
      const tasks = await this.tasks(service);
      const alive = tasks.filter(({ node, state }) => state === "Running" && this.#isThere(node));
      nodes = alive.map(({ node }) => node).sort();
      return alive.length === count && tasks.length === count;
    };
    await until(`${count} tasks run`, isSo, SETTLE_MS_MAX);
    return nodes;
  }

  /** Ends the last host with all that runs on it, at once. @returns its name */
  async lose(): Promise<string> {
    await this.manager.succeed(["swarm", "update", "--dispatcher-heartbeat", HEARTBEAT.quick]);
    const lost = this.#nodes.pop();
    if (lost === undefined) throw new Error("no host is left");
    await lost.host[Symbol.asyncDispose]();
    return nodeName(this.#nodes.length + 1);
  }

  async reset(): Promise<void> {
    const services = (await this.manager.succeed(["service", "ls", "-q"])).split("\n").filter(Boolean);
    if (services.length > 0) await this.manager.succeed(["service", "rm", ...services]);
    for (const node of this.#nodes) {
      await until(
        "its containers are gone",
        async () => (await node.succeed(["ps", "-aq"])) === "",
        SETTLE_MS_MAX,
      );
    }
  }

  #isThere(node: string): boolean {
    return this.#nodes.some((_, index) => nodeName(index + 1) === node);
  }
}

/** Starts four hosts, three dockerd, and joins them. */
export async function startSwarm(): Promise<Swarm> {
  await using stack = new AsyncDisposableStack();
  const startHost = async (name: string): Promise<CallerHost> =>
    stack.use(await CallerHost.start({ name, unified: runtimeName !== "crun" }));
  const center = await startHost("switch");
  await center.succeed(["sh", "-c", "ip link add br0 type bridge && ip link set br0 up"]);
  const names = Array.from({ length: NODES }, (_, index) => nodeName(index + 1));
  const hosts = await Promise.all(names.map(startHost));
  for (const [index, host] of hosts.entries()) await connect(center, { host, number: index + 1 });
  const start = (host: CallerHost, index: number): Promise<Engine> =>
    startDockerIn(host, { hostName: nodeName(index + 1), isDefault: true });
  const swarm = new Swarm(center, await Promise.all(hosts.map(start)));
  await join(swarm);
  // The first tasks make what stays: the bridge to the outside.
  await swarm.create("first", ["--mode=global", "--stop-grace-period=0s"], ["sleep", "1000"]);
  await swarm.running("first", NODES);
  await swarm.reset();
  stack.move();
  return swarm;
}

const nodeName = (number: number): string => `node-${number}`;

/** A pair of devices from the host to the bridge, made without passing by the machine's own network. */
async function connect(
  center: CallerHost,
  { host, number }: { host: CallerHost; number: number },
): Promise<void> {
  const port = `port${number}`;
  const pair = ["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", String(host.pid)];
  const { exitCode, stderr } = Bun.spawnSync(["nsenter", `--net=/proc/${center.pid}/ns/net`, ...pair], {
    stderr: "pipe",
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  await center.succeed(["sh", "-c", `ip link set ${port} master br0 up`]);
  await host.succeed(["sh", "-c", `ip address add ${SUBNET}.${number}/24 dev eth0 && ip link set eth0 up`]);
}

async function join({ manager, nodes }: Swarm): Promise<void> {
  const address = (number: number): string => `${SUBNET}.${number}`;
  const listen = (number: number): string[] => [
    "--advertise-addr",
    address(number),
    "--listen-addr",
    address(number),
  ];
  await manager.succeed(["swarm", "init", "--dispatcher-heartbeat", HEARTBEAT.calm, ...listen(1)]);
  const token = await manager.succeed(["swarm", "join-token", "-q", "worker"]);
  for (const [index, node] of nodes.entries()) {
    if (index > 0)
      await node.succeed(["swarm", "join", ...listen(index + 1), "--token", token, `${address(1)}:2377`]);
  }
}
