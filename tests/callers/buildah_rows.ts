/** Rows of buildah, which runs a command in a container that is to become an image. */
import { expect } from "bun:test";
import { type Buildah, IMAGE, NAME } from "./buildah.ts";
import { APP_ID } from "./image.ts";
import type { CallerTests, Rows } from "./row.ts";

const rows: Rows<Buildah> = {
  "run: hands on output, error output and exit code": async (buildah) => {
    await buildah.from();

    const { exitCode, stdout, stderr } = await buildah.runIn(
      [],
      ["sh", "-c", "echo out; echo err >&2; exit 23"],
    );

    expect([exitCode, stdout]).toEqual([23, "out\n"]);
    expect(stderr).toStartWith("err\n");
  },

  "run --isolation=oci --runtime=PATH: as named": async (buildah) => {
    await buildah.from();

    const { stdout } = await buildah.runIn(
      ["--isolation=oci", `--runtime=${buildah.runtime}`],
      ["echo", "there"],
    );

    expect(stdout).toBe("there\n");
  },

  "run: what it writes is there for the next one": async (buildah) => {
    await buildah.from();
    await buildah.runIn([], ["sh", "-c", "echo kept > /made"]);

    expect((await buildah.runIn([], ["cat", "/made"])).stdout).toBe("kept\n");
  },

  "run: names the command that is missing": async (buildah) => {
    await buildah.from();

    const { exitCode, stderr } = await buildah.runIn([], ["no-such-command"]);

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("no-such-command");
  },

  "run -t: a terminal": async (buildah) => {
    await buildah.from();
    await using screen = buildah.screen();

    screen.type(`$C run -t ${NAME} -- sh -c 'test -t 0 && tty'; echo code $?`);

    await screen.until(/^\/dev\/(pts\/\d|console)$[\s\S]*^code 0$/m);
  },

  "run --user, --env, --workingdir: are in force": async (buildah) => {
    await buildah.from();
    const options = ["--user=app", "--env=COLOUR=red", "--workingdir=/www"];

    const { stdout } = await buildah.runIn(options, ["sh", "-c", "id -u; echo $COLOUR; pwd"]);

    expect(stdout).toBe(`${APP_ID}\nred\n/www\n`);
  },

  "run --cap-drop, --cap-add: what is left": async (buildah) => {
    await buildah.from();

    const { stdout } = await buildah.runIn(
      ["--cap-drop=CAP_CHOWN", "--cap-add=CAP_NET_ADMIN"],
      ["grep", "CapEff", "/proc/self/status"],
    );
    const set = Number.parseInt(stdout.split("\t")[1] ?? "", 16);

    expect([set & 1, set & (1 << 12)]).toEqual([0, 1 << 12]);
  },

  "run --volume: a directory of the host, read-only": async (buildah) => {
    await buildah.from();
    const directory = buildah.host.makeDirectory("shared");
    await Bun.write(`${directory}/file`, "shared\n");

    const { stdout, stderr } = await buildah.runIn(
      [`--volume=${directory}:/inner:ro`],
      ["sh", "-c", "cat /inner/file; touch /inner/new"],
    );

    expect([stdout, stderr]).toEqual(["shared\n", expect.stringContaining("Read-only file system")]);
  },

  "run --mount=type=tmpfs: is gone afterwards": async (buildah) => {
    await buildah.from();

    const { stdout } = await buildah.runIn(
      ["--mount=type=tmpfs,target=/scratch"],
      ["sh", "-c", "echo x > /scratch/file; grep -c ' /scratch tmpfs' /proc/mounts"],
    );

    expect(stdout).toBe("1\n");
    expect((await buildah.runIn([], ["ls", "/scratch"])).stdout).toBe("");
  },

  "run --network=none: a loopback device, and nothing else": async (buildah) => {
    await buildah.from(["--network=none"]);

    expect((await buildah.runIn([], ["ls", "/sys/class/net"])).stdout).toBe("lo\n");
  },

  "from --memory: the command that takes more is killed": async (buildah) => {
    await buildah.from(["--memory=16m"]);

    expect((await buildah.runIn([], ["sh", "-c", "tail /dev/zero; echo code $?"])).stdout).toBe("code 137\n");
  },

  "from --userns-uid-map: root of the container is another user outside": async (buildah) => {
    await buildah.from(["--userns-uid-map=0:10000:2000", "--userns-gid-map=0:10000:2000"]);

    const { stdout } = await buildah.runIn([], ["sh", "-c", "id -u; cat /proc/self/uid_map"]);

    expect(stdout.trim().split(/\s+/)).toEqual(["0", "0", "10000", "2000"]);
  },

  "build: RUN in several steps, and as another user": async (buildah) => {
    const lines = [
      `FROM ${IMAGE}`,
      "RUN echo one > /tmp/log",
      "USER app",
      "RUN id -u >> /tmp/own && cat /tmp/log /tmp/own",
    ];

    const { exitCode, stdout } = await buildah.build(lines);

    expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`one\n${APP_ID}\n`)]);
  },

  "build: fails with the exit code of RUN": async (buildah) => {
    const { exitCode, stderr } = await buildah.build([`FROM ${IMAGE}`, "RUN exit 42"]);

    expect(exitCode).toBe(42);
    expect(stderr).toContain("42");
  },
};

/** buildah's rows and what they need. */
export const buildahTests: Omit<CallerTests<Buildah>, "start"> = {
  name: "buildah",
  needs: ["program buildah", "program tmux"],
  rows,
};
