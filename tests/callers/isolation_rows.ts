/** Rows of podman and docker: users, rights, files and namespaces. */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { type Engine, IMAGE, NAME } from "./engine.ts";
import { until } from "./host.ts";
import { APP_ID } from "./image.ts";
import { says } from "./life_rows.ts";
import type { Rows } from "./row.ts";

const STATUS = ["sh", "-c", "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status"];

/** Bit of a capability in the last eight digits, e.g. of CAP_NET_ADMIN. */
const NET_ADMIN = 1 << 12;
const CHOWN = 1 << 0;

export const isolationRows: Rows<Engine> = {
  "run --user: name and number, with the groups of /etc/group": async (engine) => {
    const named = await engine.once(["--user=app"], ["sh", "-c", "id -u; id -g; id -G"]);
    const numbers = await engine.once(
      ["--user=1234:4321", "--group-add=99"],
      ["sh", "-c", "id -u; id -g; id -G"],
    );

    expect(named.split("\n").slice(0, 2)).toEqual([String(APP_ID), String(APP_ID)]);
    expect(named).toContain("2000");
    expect(numbers).toMatch(/^1234\n4321\n(4321 99|99 4321)$/);
  },

  "run --cap-drop, --cap-add: what is left": async (engine) => {
    const none = await engine.once(["--cap-drop=ALL"], STATUS);
    const added = await engine.once(["--cap-drop=ALL", "--cap-add=NET_ADMIN", "--cap-add=CHOWN"], STATUS);

    expect(none).toMatch(/^CapEff:\t0{16}\nCapBnd:\t0{16}$/m);
    expect(Number.parseInt(/CapEff:\t(\w+)/.exec(added)?.[1] ?? "", 16)).toBe(NET_ADMIN + CHOWN);
  },

  "run: a seccomp filter, unless it is switched off": async (engine) => {
    const mode = async (options: readonly string[]): Promise<string | undefined> =>
      /^Seccomp:\t(\d)$/m.exec(await engine.once(options, STATUS))?.[1];

    expect(await mode([])).toBe("2");
    expect(await mode(["--security-opt=seccomp=unconfined"])).toBe("0");
  },

  "run --security-opt seccomp=FILE: a call that the profile refuses": async (engine) => {
    const profile = `${engine.host.directory}/profile.json`;
    const refused = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }];
    writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls: refused }));

    const result = await engine.run([
      "run",
      "--rm",
      `--security-opt=seccomp=${profile}`,
      IMAGE,
      "mkdir",
      "/tmp/new",
    ]);

    expect([result.exitCode, result.stderr]).toEqual([1, expect.stringContaining("No space left on device")]);
  },

  "run --security-opt no-new-privileges: is set": async (engine) => {
    expect(await engine.once(["--security-opt=no-new-privileges"], STATUS)).toContain("NoNewPrivs:\t1");
  },

  "run --privileged: all capabilities, no filter, the host's devices": async (engine) => {
    const shown = await engine.once(
      ["--privileged"],
      ["sh", "-c", `${STATUS[2]}; ls /dev | wc -l; touch /sys/fs/cgroup`],
    );

    expect(shown).toContain("Seccomp:\t0");
    expect(Number.parseInt(/CapEff:\t(\w+)/.exec(shown)?.[1] ?? "", 16)).toBeGreaterThan(2 ** 37);
  },

  "run: hides paths of /proc, and keeps others read-only": async (engine) => {
    const script =
      "cat /proc/kcore | wc -c; ls /proc/acpi /sys/firmware | grep -c . ; echo 1 > /proc/sys/kernel/domainname";

    const { stdout, stderr } = await engine.run(["run", "--rm", IMAGE, "sh", "-c", script]);

    expect(stdout).toMatch(/^0\n/);
    expect(stderr).toContain("Read-only file system");
  },

  "run --read-only: nothing can be written, save to tmpfs": async (engine) => {
    const script = "touch /etc/new; echo $?; touch /scratch/new && echo fine";

    const result = await engine.run([
      "run",
      "--rm",
      "--read-only",
      "--tmpfs=/scratch",
      IMAGE,
      "sh",
      "-c",
      script,
    ]);

    expect(result.stdout).toBe("1\nfine\n");
    expect(result.stderr).toContain("Read-only file system");
  },

  "run --tmpfs: options are in force": async (engine) => {
    const shown = await engine.once(
      ["--tmpfs=/scratch:size=2m,mode=1770,noexec"],
      ["sh", "-c", "stat -c %a /scratch; grep /scratch /proc/mounts"],
    );

    expect(shown).toStartWith("1770\n");
    expect(shown).toMatch(/noexec.*size=2048k/);
  },

  "run -v: a directory of the host, also read-only": async (engine) => {
    const directory = engine.host.makeDirectory("shared");
    const volumes = ["-v", `${directory}:/rw`, "-v", `${directory}:/ro:ro`];

    const { stdout, stderr } = await engine.run([
      "run",
      "--rm",
      ...volumes,
      IMAGE,
      "sh",
      "-c",
      "echo mine > /rw/file; cat /ro/file; touch /ro/new",
    ]);

    expect([stdout, stderr]).toEqual(["mine\n", expect.stringContaining("Read-only file system")]);
    expect(await Bun.file(`${directory}/file`).text()).toBe("mine\n");
  },

  "run -v: a volume takes over what the image has there, and outlives the container": async (engine) => {
    try {
      await engine.once(["-v", "kept:/seed"], ["sh", "-c", "cat /seed/file; echo more > /seed/more"]);

      expect(await engine.once(["-v", "kept:/again"], ["sh", "-c", "cat /again/file /again/more"])).toBe(
        "seed\nmore",
      );
    } finally {
      await engine.succeed(["volume", "rm", "kept"]);
    }
  },

  "run --mount: bind propagation, as it is in mountinfo": async (engine) => {
    const directory = engine.host.makeDirectory("slave");
    await engine.host.succeed([
      "sh",
      "-c",
      `mount --bind ${directory} ${directory} && mount --make-shared ${directory}`,
    ]);
    try {
      const mount = `--mount=type=bind,source=${directory},target=/inner,bind-propagation=rslave`;

      expect(await engine.once([mount], ["grep", " /inner ", "/proc/self/mountinfo"])).toContain(" master:");
    } finally {
      await engine.host.succeed(["umount", directory]);
    }
  },

  "run --device: a node that can be used; others cannot be": async (engine) => {
    const script = "head -c 3 /dev/mine | wc -c; mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem";

    const result = await engine.run([
      "run",
      "--rm",
      "--device=/dev/zero:/dev/mine",
      "--cap-add=MKNOD",
      IMAGE,
      "sh",
      "-c",
      script,
    ]);

    expect(result.stdout).toBe("3\n");
    expect(result.stderr).toContain("Operation not permitted");
  },

  "run --init: pid 1 forwards signals and reaps": async (engine) => {
    const waits = "trap 'exit 8' TERM; echo up; while :; do sleep 0.1; done";
    await engine.background(["--init"], ["sh", "-c", waits]);
    await says(engine, "up");
    await engine.exec(["sh", "-c", "(sleep 0.1 &)"]);
    expect(await engine.exec(["cat", "/proc/1/comm"])).toMatch(/init|catatonit|tini/);

    await engine.succeed(["stop", NAME]);

    expect(await engine.inspect("{{.State.ExitCode}}")).toBe("8");
  },

  "run --hostname, --env, --workdir, --entrypoint: are in force": async (engine) => {
    const options = ["--hostname=named", "--env=COLOUR=blue", "--workdir=/www", "--entrypoint=sh"];

    expect(await engine.once(options, ["-c", "hostname; echo $COLOUR; pwd"])).toBe("named\nblue\n/www");
  },

  "run --sysctl: of the network and of IPC": async (engine) => {
    const options = ["--sysctl=net.ipv4.ip_default_ttl=77", "--sysctl=kernel.shmmni=1234"];

    const shown = await engine.once(options, [
      "cat",
      "/proc/sys/net/ipv4/ip_default_ttl",
      "/proc/sys/kernel/shmmni",
    ]);

    expect(shown).toBe("77\n1234");
  },

  "run -p: the port of the container answers on the host": async (engine) => {
    await engine.background(["-p", "8080:80"], ["httpd", "-f", "-p", "80", "-h", "/www"]);

    const get = ["busybox", "wget", "-q", "-O", "-", `http://${await address(engine)}:80/`];
    await until("it serves", async () => (await engine.host.run(get)).stdout === "served\n");
    const published = ["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"];
    await until("the port is open", async () => (await engine.host.run(published)).stdout === "served\n");
  },

  "run --network=none: a loopback device, and nothing else": async (engine) => {
    const shown = await engine.once(
      ["--network=none"],
      ["sh", "-c", "ls /sys/class/net; ping -c 1 127.0.0.1 | grep -c '1 packets received'"],
    );

    expect(shown).toBe("lo\n1");
  },

  "run --network=host: the devices of the host": async (engine) => {
    const host = await engine.host.succeed(["readlink", "/proc/self/ns/net"]);

    expect(await engine.once(["--network=host"], ["readlink", "/proc/self/ns/net"])).toBe(host);
  },

  "run --network, --pid, --ipc=container: shares namespaces": async (engine) => {
    await engine.background(["--ipc=shareable"], ["sleep", "1000"]);
    const options = ["--network", "--pid", "--ipc"].map((option) => `${option}=container:${NAME}`);
    const show = ["sh", "-c", "for name in net pid ipc; do readlink /proc/self/ns/$name; done"];

    expect(await engine.once(options, show)).toBe(await engine.exec(show));
  },

  "run --pid=host, --uts=host: sees the host's processes and name": async (engine) => {
    const shown = await engine.once(["--pid=host", "--uts=host"], ["sh", "-c", "hostname; cat /proc/1/comm"]);

    expect(shown).toBe(`${engine.kind}-host\nsleep`);
  },

  "run --cgroupns: private and host": async (engine) => {
    const own = await engine.once(["--cgroupns=private"], ["cat", "/proc/self/cgroup"]);
    const host = await engine.once(["--cgroupns=host"], ["cat", "/proc/self/cgroup"]);

    expect(own).toMatch(/:pids:\/$|^0::\/$/m);
    expect(host).toMatch(/:pids:\/.+|^0::\/.+/m);
  },
};

async function address(engine: Engine): Promise<string> {
  return engine.inspect("{{.NetworkSettings.IPAddress}}");
}
