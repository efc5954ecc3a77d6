/** What bunker commits, exports and imports, beside docker, podman, umoci and skopeo: the same trees on both sides. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { Box, bunkerFrom, rootTree } from "../../helpers/box.ts";
import { type DockerEngine, startDockerEngine } from "../../helpers/docker_engine.ts";
import { serveRegistry } from "../../helpers/fake_registry.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";
import type { TarEntry } from "../../helpers/tar_builder.ts";
import { listTar } from "../../helpers/tar_listing.ts";
import type { TreeSnapshot } from "../../helpers/tree_snapshot.ts";
import { App, RUN_NEEDS } from "../run/app.ts";

/** Engines start in seconds. */
const PEER_MS_MAX = 180_000;

const OLD: readonly TarEntry[] = [
  ...[
    "a/",
    "a/sub/",
    "a/sub/deep",
    "a/one",
    "a/two",
    "b/",
    "b/one",
    "c/",
    "c/one",
    "d/",
    "d/one",
    "e/",
    "e/f",
  ],
  ...["g/", "h/", "h/x/", "h/x/y", "k/", "k/one", "l/", "l/m/", "l/m/n", "p/", "p/one", "q/", "q/one"],
].map((name) => ({ name: `opt/${name}`, ...(name.endsWith("/") ? {} : { data: name }) }));

const CHANGES = `
rm -r /opt/a; mkdir /opt/a; mkdir /opt/a/sub; echo x > /opt/a/one; echo y > /opt/a/new
echo more >> /opt/b/one
rm /opt/c/one
mv /opt/d/one /opt/d/two
chmod 700 /opt/e
touch /opt/g/f; rm /opt/g/f
rm -r /opt/h
mkdir -p /new/dir; ln -s x /new/link; echo 1 > /new/one; ln /new/one /new/two; mknod /new/fifo p
chown 5:6 /opt/k/one; chmod 4711 /opt/k/one
echo z > /opt/l/m/z
rm -r /opt/p; echo file > /opt/p
rm /opt/q/one; mkdir /opt/q/one; touch /opt/q/one/in
mkdir -m 1777 /new/sticky
`;

const install = (sandbox: Sandbox): Promise<App> =>
  App.install(sandbox, { entries: [{ name: "opt/" }, ...OLD], config: { Cmd: ["cat", "/opt/a/new"] } });

const lines = (text: string): string[] => text.trim().split("\n").sort();

/** Unpacks an archive by GNU tar. @returns its tree */
async function unpacked(file: string): Promise<TreeSnapshot> {
  mkdirSync(`${file}.d`);
  await Bun.$`tar --numeric-owner --same-owner -xpf ${file} -C ${`${file}.d`}`.quiet();
  return rootTree(`${file}.d`);
}

/** Without the root itself, which an archive need not have, and what other engines put into every container. */
function inner(tree: TreeSnapshot): TreeSnapshot {
  const own = Object.entries(tree).filter(
    ([path]) => !/^(?:\.|\.dockerenv|run|run\/\.containerenv|etc)$/.test(path),
  );
  return Object.fromEntries(own);
}

async function succeeds(running: ReturnType<DockerEngine["run"]>): Promise<string> {
  const { exitCode, stdout, stderr } = await running;
  if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${stdout}${stderr}`);
  return stdout;
}

describe("docker", () => {
  kernelTest(
    "tells the same changes, runs what was committed, and takes and gives archives",
    [...RUN_NEEDS, "docker engine"],
    async (sandbox) => {
      const app = await install(sandbox);
      const file = (name: string): string => `${sandbox.directory}/${name}.tar`;
      const box = await Box.start(app, CHANGES);
      const diff = await bunkerFrom(sandbox, ["diff", "box"]);
      await bunkerFrom(sandbox, ["commit", "-c", 'CMD ["cat", "/opt/a/new"]', "box", "local/new:1"]);
      await bunkerFrom(sandbox, ["export", "-o", file("exported"), "box"]);
      await box.end();
      await bunkerFrom(sandbox, ["save", "-o", file("saved"), app.reference, "local/new:1"]);
      await using docker = await startDockerEngine();
      await succeeds(docker.run(["load", "-i", file("saved")]));

      const script = `${CHANGES}\necho ready; sleep 1000`;
      const flags = ["run", "-d", "--network=none", "--name", "box", app.reference];
      await succeeds(docker.run([...flags, "/bin/sh", "-c", script]));
      while (!(await succeeds(docker.run(["logs", "box"]))).includes("ready")) await Bun.sleep(50);
      const theirs = await succeeds(docker.run(["diff", "box"]));
      const run = await succeeds(docker.run(["run", "--rm", "--network=none", "local/new:1"]));
      await succeeds(docker.run(["export", "-o", file("theirs"), "box"]));
      await succeeds(docker.run(["rm", "-f", "box"]));
      await succeeds(docker.run(["import", file("exported"), "local/imported"]));
      const cat = ["run", "--rm", "--network=none", "local/imported", "/bin/cat", "/opt/a/new"];
      const imported = await succeeds(docker.run(cat));

      expect(lines(diff.stdout)).toEqual(lines(theirs));
      expect([run, imported]).toEqual(["y\n", "y\n"]);
      await bunkerFrom(sandbox, [
        "import",
        "-c",
        'CMD ["cat", "/opt/a/new"]',
        file("theirs"),
        "local/theirs",
      ]);
      expect((await bunkerFrom(sandbox, ["run", "local/theirs"])).stdout).toBe("y\n");
    },
    PEER_MS_MAX,
  );
});

describe("podman", () => {
  kernelTest(
    "exports what bunker imports, and imports what bunker exports, with equal trees",
    [...RUN_NEEDS, "program podman"],
    async (sandbox) => {
      const app = await install(sandbox);
      const file = (name: string): string => `${sandbox.directory}/${name}.tar`;
      const box = await Box.start(app, CHANGES);
      await bunkerFrom(sandbox, ["commit", "box", "local/new:1"]);
      const expected = inner(rootTree(box.root));
      await box.end();
      await bunkerFrom(sandbox, ["save", "-o", file("saved"), "local/new:1"]);
      await bunkerFrom(sandbox, ["export", "-o", file("exported"), "local/new:1"]);
      const storage = `${sandbox.directory}/podman`;
      const podman = ["podman", "--root", storage, "--runroot", `${storage}-run`, "--storage-driver", "vfs"];
      const create = ["create", "--network=none", "--cgroups=disabled"];

      await Bun.$`${podman} load -i ${file("saved")}`.quiet();
      await Bun.$`${podman} ${create} --name loaded local/new:1 /bin/true`.quiet();
      await Bun.$`${podman} export -o ${file("loaded")} loaded`.quiet();
      await Bun.$`${podman} import ${file("exported")} local/imported`.quiet();
      await Bun.$`${podman} ${create} --name imported local/imported /bin/true`.quiet();
      await Bun.$`${podman} export -o ${file("imported")} imported`.quiet();
      await Bun.$`${podman} rm -af`.quiet();
      await bunkerFrom(sandbox, ["import", file("loaded"), "local/back"]);
      await bunkerFrom(sandbox, ["export", "-o", file("back"), "local/back"]);

      for (const name of ["exported", "loaded", "imported", "back"]) {
        expect({ name, tree: inner(await unpacked(file(name))) }).toEqual({ name, tree: expected });
      }
    },
    PEER_MS_MAX,
  );
});

describe("a committed image", () => {
  kernelTest(
    "is unpacked by umoci to the tree of the container",
    [...RUN_NEEDS, "program umoci"],
    async (sandbox) => {
      const app = await install(sandbox);
      const box = await Box.start(app, CHANGES);
      await bunkerFrom(sandbox, ["commit", "box", "local/new:1"]);
      const expected = inner(rootTree(box.root));
      await box.end();
      const [saved, layout] = [`${sandbox.directory}/saved.tar`, `${sandbox.directory}/layout`];
      await bunkerFrom(sandbox, ["save", "-o", saved, "local/new:1"]);
      await Bun.$`mkdir ${layout} && tar xf ${saved} -C ${layout}`.quiet();

      await Bun.$`umoci unpack --image ${layout}:1 ${sandbox.directory}/bundle`.quiet();

      expect(inner(rootTree(`${sandbox.directory}/bundle/rootfs`))).toEqual(expected);
    },
  );

  kernelTest(
    "is pushed, and copied by skopeo, with its digest",
    [...RUN_NEEDS, "program skopeo"],
    async (sandbox) => {
      const app = await install(sandbox);
      const box = await Box.start(app, CHANGES);
      await using registry = serveRegistry({ images: {} });
      const name = `${registry.host}/new:1`;
      await bunkerFrom(sandbox, ["commit", "box", name]);
      await box.end();

      const pushed = await bunkerFrom(sandbox, ["push", "-q", name]);
      const target = `dir:${sandbox.directory}/copied`;
      await Bun.$`skopeo copy --insecure-policy --src-tls-verify=false docker://${name} ${target}`.quiet();
      await bunkerFrom(sandbox, ["rmi", name]);
      const run = await bunkerFrom(sandbox, ["run", "-q", name, "/bin/cat", "/opt/a/new"]);

      expect(pushed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(run.stdout).toBe("y\n");
      const manifest = JSON.parse(readFileSync(`${sandbox.directory}/copied/manifest.json`, "utf8"));
      const layer = readFileSync(`${sandbox.directory}/copied/${manifest.layers.at(-1).digest.slice(7)}`);
      expect(listTar(Bun.gunzipSync(layer)).some(({ path }) => path === "opt/a/.wh..wh..opq")).toBeTrue();
    },
  );
});
