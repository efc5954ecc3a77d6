/** Rows of podman alone: pods, Kubernetes' YAML, user namespaces, and roots from elsewhere. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { type Engine, IMAGE, NAME } from "./engine.ts";
import { until } from "./host.ts";
import type { Rows } from "./row.ts";

const SLEEPS = ["sleep", "1000"];
const POD = "together";
const UID_MAP = ["cat", "/proc/self/uid_map"];

const YAML = `
apiVersion: v1
kind: Pod
metadata:
  name: ${POD}
spec:
  containers:
    - name: web
      image: localhost/${IMAGE}
      imagePullPolicy: Never
      command: ["/bin/httpd", "-f", "-h", "/www"]
      resources:
        limits:
          memory: 32Mi
    - name: client
      image: localhost/${IMAGE}
      imagePullPolicy: Never
      command: ["/bin/sleep", "1000"]
`;

export const podRows: Rows<Engine> = {
  "run --uidmap, --gidmap: root of the container is another user outside": async (podman) => {
    const maps = ["--uidmap=0:10000:2000", "--gidmap=0:20000:2000"];

    const shown = await podman.once(maps, [
      "sh",
      "-c",
      `${UID_MAP.join(" ")}; stat -c %u:%g /seed/file; touch /new && echo fine`,
    ]);

    expect(shown.trim().split(/\s+/)).toEqual(["0", "10000", "2000", "0:0", "fine"]);
  },

  "run --userns=auto: a range of its own for each container": async (podman) => {
    const maps = await Promise.all([1, 2].map(() => podman.once(["--userns=auto:size=1000"], [...UID_MAP])));

    const starts = maps.map((map) => Number(map.trim().split(/\s+/)[1]));
    expect(starts.every((start) => start >= 100_000)).toBe(true);
  },

  "exec: enters the user namespace": async (podman) => {
    await podman.background(["--uidmap=0:10000:3000", "--gidmap=0:10000:3000"], SLEEPS);

    const shown = await podman.succeed([
      "exec",
      "--user=app",
      NAME,
      "sh",
      "-c",
      "id -u; cat /proc/self/uid_map",
    ]);

    expect(shown.trim().split(/\s+/)).toEqual(["1000", "0", "10000", "3000"]);
  },

  "run --mount idmap: files belong to the users of the container": async (podman) => {
    const directory = podman.host.makeDirectory("mapped");
    writeFileSync(`${directory}/file`, "");
    const options = [
      "--uidmap=0:10000:2000",
      "--gidmap=0:10000:2000",
      "--mount",
      `type=bind,source=${directory},target=/inner,idmap`,
    ];

    expect(await podman.once(options, ["stat", "-c", "%u:%g", "/inner/file"])).toBe("0:0");
  },

  "run --cgroups=disabled: no control group is made": async (podman) => {
    const groups = await podman.once(["--cgroups=disabled", "--cgroupns=host"], ["cat", "/proc/self/cgroup"]);

    expect(groups).not.toContain("libpod");
  },

  "run --rootfs: a directory as root": async (podman) => {
    const root = podman.host.makeDirectory("rootfs");
    await podman.host.succeed([
      "sh",
      "-c",
      `mkdir -p ${root}/bin && cp "$(command -v busybox)" ${root}/bin/busybox`,
    ]);

    expect(await podman.succeed(["run", "--rm", "--rootfs", root, "/bin/busybox", "echo", "there"])).toBe(
      "there",
    );
  },

  "run --preserve-fds: a descriptor of the caller": async (podman) => {
    const script = `echo handed on > ${podman.host.directory}/fd; $0 run --rm --preserve-fds=1 ${IMAGE} sh -c 'cat <&3' 3< ${podman.host.directory}/fd`;
    const child = Bun.spawnSync(["sh", "-c", script, podman.command], { env: podman.host.env() });

    expect(child.stdout.toString()).toBe("handed on\n");
  },

  "pod: its containers share network, IPC and host name": async (podman) => {
    await withPod(podman, async () => {
      const show = "hostname; for name in net ipc uts; do readlink /proc/self/ns/$name; done";

      const [one, two] = [
        await podman.once(["--pod", POD], ["sh", "-c", show]),
        await podman.once(["--pod", POD], ["sh", "-c", show]),
      ];

      expect(one).toBe(two);
      expect(one).toStartWith(`${POD}\n`);
    });
  },

  "pod --share=pid: its containers see each other's processes": async (podman) => {
    await withPod(podman, async () => {
      await podman.background(["--pod", POD], ["sleep", "777"]);

      expect(await podman.once(["--pod", POD], ["ps", "-o", "args"])).toContain("sleep 777");
    });
  },

  "pod stop, start, pause, unpause: all of its containers": async (podman) => {
    await withPod(podman, async () => {
      await podman.background(["--pod", POD, "--stop-signal=KILL"], SLEEPS);
      const status = (): Promise<string> => podman.inspect("{{.State.Status}}");

      await podman.succeed(["pod", "pause", POD]);
      expect(await status()).toBe("paused");
      await podman.succeed(["pod", "unpause", POD]);
      expect(await status()).toBe("running");
      await podman.succeed(["pod", "stop", "-t", "0", POD]);
      expect(await status()).toBe("exited");
      await podman.succeed(["pod", "start", POD]);
      expect(await status()).toBe("running");
    });
  },

  "play kube: a pod of two containers, with a limit": async (podman) => {
    writeFileSync(`${podman.host.directory}/pod.yaml`, YAML);
    try {
      await podman.succeed(["play", "kube", "--network=none", `${podman.host.directory}/pod.yaml`]);

      const get = ["exec", `${POD}-client`, "/bin/wget", "-q", "-O", "-", "http://127.0.0.1/"];
      await until("it serves", async () => (await podman.run(get)).stdout === "served\n");
      expect(await podman.inspect("{{.HostConfig.Memory}}", `${POD}-web`)).toBe(String(32 << 20));
    } finally {
      await removePod(podman);
    }
  },
};

/** Runs `body` while there is a pod, whose first container waits in the image. */
async function withPod(podman: Engine, body: () => Promise<void>): Promise<void> {
  try {
    await podman.succeed(["pod", "create", "--name", POD, "--hostname", POD, "--share=net,ipc,uts,pid"]);
    await body();
  } finally {
    await removePod(podman);
  }
}

/** podman removes the control group of a pod only in the hierarchies in which it has made it. */
async function removePod(podman: Engine): Promise<void> {
  await podman.run(["pod", "rm", "-f", "-t", "0", POD]);
  const name = "[0-9a-f]".repeat(64);
  await podman.host.run(["sh", "-c", `rmdir /sys/fs/cgroup/*/libpod_parent/${name} 2>/dev/null`]);
}
