/**
 * What podman tells of an image and of a container, beside bunker: the same where both mean the same. Where they differ, a
 * row says why, and the test holds both sides to it.
 */
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { Box } from "../helpers/box.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage, buildIndex, type ImageSpec } from "../helpers/image_builder.ts";
import { type Need, whyMissing } from "../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { snapshotTree, type TreeSnapshot } from "../helpers/tree_snapshot.ts";
import { App, baseLayer } from "../kernel/run/app.ts";
import { PEER_NEEDS, Peers } from "./peers.ts";

const NEEDS: readonly Need[] = [...PEER_NEEDS, "program podman"];
const TEST_MS_MAX = 60_000;
const NAME = "localhost/app:1";
const created = "2020-01-02T03:04:05.6Z";

const image: ImageSpec = {
  layers: [
    baseLayer(),
    {
      entries: ["opt/", "opt/one", "opt/two", "opt/dir/", "opt/dir/in", "opt/old/", "opt/old/in"].map(
        (name) => ({ name, ...(name.endsWith("/") ? {} : { data: name }) }),
      ),
    },
    {
      entries: [
        { name: "opt/" },
        { name: "opt/.wh.two" },
        { name: "opt/one", data: "more", mode: 0o600, uid: 7 },
        { name: "opt/dir/" },
        { name: "opt/dir/.wh..wh..opq" },
        { name: "opt/dir/new", data: "n" },
      ],
    },
  ],
  config: {
    Cmd: ["/bin/sh"],
    Env: ["PATH=/bin", "A=b"],
    Labels: { stage: "test" },
    ExposedPorts: { "80/tcp": {} },
    WorkingDir: "/opt",
    User: "1000",
    StopSignal: "SIGINT",
  },
  configDocument: {
    created,
    author: "me",
    history: [
      { created, created_by: "ADD base" },
      { created, created_by: "ENV A=b", empty_layer: true },
      { created, created_by: "COPY opt /opt", comment: "second" },
      { created, created_by: `RUN ${"long ".repeat(20)}end` },
    ],
  },
};

const CHANGES = [
  "echo more >> opt/one; mkdir -p new/x; touch new/x/file; ln -s x new/link; chmod 700 home",
  "touch opt/came; rm opt/came; rm bin/wc; rm -r opt/old",
].join("; ");
/** A directory that was made anew, and a file that was changed in a directory that was not. */
const REMADE = "rm -r opt/dir; mkdir opt/dir; touch opt/dir/again; echo x > etc/group";

let peers: Peers;

beforeAll(async () => {
  if (whyMissing(NEEDS) === undefined) peers = await Peers.start({ docker: false });
}, TEST_MS_MAX);
afterAll(async () => {
  await (peers as Peers | undefined)?.[Symbol.asyncDispose]();
}, TEST_MS_MAX);

/** Answers of both to one question. */
interface Row {
  readonly what: string;
  readonly bunker: (both: Both) => Promise<unknown>;
  readonly podman: (both: Both) => Promise<unknown>;
}

/** With the answers of bunker and of podman. */
type Difference = Row & { readonly because: string; readonly answers: readonly [unknown, unknown] };

const steps = (text: string): readonly string[] => text.trimEnd().split("\n").slice(1);
const withAlgorithm = (text: string): string => text.replace(/^(?=[0-9a-f]{64}$)/gm, "sha256:");
const LAYER = /^[├└]── ID: (\S+) Size:\s+(\S+)/gm;

const same: readonly Row[] = [
  ...(["CreatedBy", "Comment"] as const).map((field): Row => {
    const words = ["history", "--no-trunc", "--format", `{{.${field}}}`, NAME];
    return {
      what: `history: ${field}`,
      bunker: (it) => it.bunker(words),
      podman: () => peers.podman(...words),
    };
  }),
  {
    what: "history: ID",
    bunker: (it) => it.bunker(["history", "--no-trunc", "--format", "{{.ID}}", NAME]),
    podman: async () =>
      withAlgorithm(await peers.podman("history", "--no-trunc", "--format", "{{.ID}}", NAME)),
  },
  {
    what: "history -q",
    bunker: (it) => it.bunker(["history", "-q", NAME]),
    podman: () => peers.podman("history", "-q", NAME),
  },
  {
    what: "history: the table but for its sizes and what is cut",
    bunker: async (it) =>
      steps(await it.bunker(["history", NAME])).map((line) => line.split(/\s{2,}/).slice(0, 2)),
    podman: async () =>
      steps(await peers.podman("history", NAME)).map((line) => line.split(/\s{2,}/).slice(0, 2)),
  },
  ...["Created", "Author", "Architecture", "Os", "Config", "RootFS", "RepoTags", "RepoDigests"].map(
    (field): Row => ({
      what: `inspect: ${field}`,
      bunker: async (it) => JSON.parse(await it.bunker(["inspect", NAME]))[0][field],
      podman: async () => JSON.parse(await peers.podman("inspect", NAME))[0][field],
    }),
  ),
  {
    what: "inspect: what it is",
    bunker: async (it) => {
      const [{ Id, Descriptor }] = JSON.parse(await it.bunker(["inspect", NAME]));
      return [Id, Descriptor.digest, Descriptor.mediaType];
    },
    podman: async () => {
      const [{ Id, Digest, ManifestType }] = JSON.parse(await peers.podman("inspect", NAME));
      return [withAlgorithm(Id), Digest, ManifestType];
    },
  },
  {
    what: "inspect --format",
    bunker: (it) =>
      it.bunker(["inspect", "--format", "{{.Os}} {{json .Config.Env}} {{len .RootFS.Layers}}", NAME]),
    podman: () =>
      peers.podman("inspect", "--format", "{{.Os}} {{json .Config.Env}} {{len .RootFS.Layers}}", NAME),
  },
  {
    what: "image tree: how many layers, the lowest one, and the name",
    bunker: async (it) => {
      const lines = (await it.bunker(["image", "tree", NAME])).trimEnd().split("\n");
      return [lines.length - 1, lines[0]?.split(" ")[0], /^└── (\S+)/.exec(lines.at(-1) ?? "")?.[1]];
    },
    podman: async () => {
      const text = await peers.podman("image", "tree", NAME);
      const layers = [...text.matchAll(LAYER)].map(([, id]) => id);
      return [layers.length, layers[0], /Top Layer of: \[(\S+)\]/.exec(text)?.[1]];
    },
  },
];

const differences: readonly Difference[] = [
  {
    what: "sizes of layers",
    because: "podman counts an archive's headers and padding, bunker what the files hold, as docker does",
    answers: [5, 5120],
    bunker: async (it) => JSON.parse(await it.bunker(["history", "--json", NAME])).at(0).sizeBytes,
    podman: async () => JSON.parse(await peers.podman("history", "--format", "json", NAME)).at(0).size,
  },
  {
    what: "ids of the upper layers in image tree",
    because: "podman's are its storage's own, bunker's are the diffIDs that the image itself has",
    answers: [true, false],
    bunker: async (it) => {
      const [{ RootFS }] = JSON.parse(await it.bunker(["inspect", NAME]));
      return (await it.bunker(["image", "tree", NAME])).includes(RootFS.Layers[1].slice(7, 19));
    },
    podman: async () => {
      const [{ RootFS }] = JSON.parse(await peers.podman("inspect", NAME));
      return (await peers.podman("image", "tree", NAME)).includes(RootFS.Layers[1].slice(7, 19));
    },
  },
  {
    what: "long steps in history",
    because: "bunker cuts them with one character and not with three, as docker does",
    answers: [false, true],
    bunker: async (it) => (await it.bunker(["history", NAME])).includes("..."),
    podman: async () => (await peers.podman("history", NAME)).includes("..."),
  },
  {
    what: "diff of an image",
    because: "bunker has `image which` and `image ls` for it, and docker's diff is of containers",
    answers: [125, "C /opt"],
    bunker: async (it) => (await it.sandbox.bunker(["diff", NAME])).exitCode,
    podman: async () => (await peers.podman("diff", NAME)).split("\n")[0],
  },
];

describe("podman's view of an image", () => {
  kernelTest(
    "is bunker's",
    NEEDS,
    async (sandbox) => {
      const both = await Both.load(sandbox);

      for (const { what, bunker, podman } of same) {
        expect({ what, answer: await bunker(both) }).toEqual({ what, answer: await podman(both) });
      }
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "differs where a row says why",
    NEEDS,
    async (sandbox) => {
      const both = await Both.load(sandbox);

      for (const { what, because, answers, bunker, podman } of differences) {
        const found = [await bunker(both), await podman(both)];
        expect({ what, because, answers: found }).toEqual({ what, because, answers: [...answers] });
      }
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "is the same tree at a mount point",
    NEEDS,
    async (sandbox) => {
      const both = await Both.load(sandbox);

      const own = (await both.bunker(["image", "mount", NAME])).trim();
      const theirs = (await peers.podman("image", "mount", NAME)).trim();
      const trees = [treeOf(own), treeOf(theirs)];
      const lists = [await both.bunker(["image", "mount"]), await peers.podman("image", "mount")];
      await both.bunker(["image", "unmount", NAME]);
      await peers.podman("image", "unmount", NAME);

      expect(trees[0]).toEqual(trees[1] ?? {});
      expect(Object.keys(trees[0] ?? {})).toContain("opt/dir/new");
      expect(lists.map((list) => list.trim().split(/\s+/))).toEqual([
        [NAME, own],
        [NAME, theirs],
      ]);
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "has one image to a name, bunker one for each platform",
    NEEDS,
    async (sandbox) => {
      const of = (architecture: string) =>
        buildImage({ layers: [baseLayer()], platform: { os: "linux", architecture } });
      await using registry = serveRegistry({
        images: { "app:1": buildIndex({ images: [of("amd64"), of("arm64")] }) },
      });
      const name = `${registry.host}/app:1`;
      const both = new Both(sandbox);

      for (const platform of ["linux/amd64", "linux/arm64"]) {
        await both.bunker(["pull", "-q", "--platform", platform, name]);
        await peers.podman("pull", "-q", "--tls-verify=false", "--platform", platform, name);
      }
      const list = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
      const [own, theirs] = [await both.bunker(list), await peers.podman(...list)];
      await peers.podman("rmi", "-f", name);

      expect(own.match(new RegExp(`^${name}$`, "gm"))).toHaveLength(2);
      expect(theirs.match(new RegExp(`^${name}$`, "gm"))).toHaveLength(1);
    },
    TEST_MS_MAX,
  );
});

describe("podman diff of a container", () => {
  const cases: ReadonlyArray<readonly [what: string, changes: string, remade: boolean]> = [
    ["tells what bunker tells", CHANGES, false],
    ["tells of directories in another way: bunker as docker does", REMADE, true],
  ];
  for (const [what, changes, remade] of cases) {
    kernelTest(
      what,
      NEEDS,
      async (sandbox) => {
        const both = await Both.load(sandbox);
        await peers.podman("create", "--name", "box", "--network=none", NAME, "/bin/true");
        const root = (await peers.podman("mount", "box")).trim();
        await Bun.$`sh -ec ${`cd ${root}; ${changes}`}`.quiet();
        const box = await Box.start(both.app, `cd /; ${changes}`, ["--user=0"]);

        const own = (await both.bunker(["diff", "box"])).trim().split("\n").sort();
        await box.end();
        const theirs = (await peers.podman("diff", "box")).trim().split("\n").sort();
        await peers.podman("rm", "-f", "box");

        if (!remade) expect(own).toEqual(theirs);
        else {
          expect(own).toEqual([
            ...["A /opt/dir/again", "C /etc", "C /etc/group"],
            ...["C /opt", "C /opt/dir", "D /opt/dir/new"],
          ]);
          expect(theirs).toEqual(["A /opt/dir/again", "C /etc/group", "C /opt", "D /opt/dir"]);
        }
      },
      TEST_MS_MAX,
    );
  }
});

/** The image in podman's store and in bunker's. */
class Both {
  readonly sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
  }

  /** By bunker's own archive, under one name only. */
  static async load(sandbox: Sandbox): Promise<Both> {
    const both = new Both(sandbox);
    const app = await App.install(sandbox, { image });
    await both.bunker(["tag", app.reference, NAME]);
    await both.bunker(["rmi", app.reference]);
    const file = `${sandbox.directory}/app.tar`;
    await both.bunker(["save", "-o", file, NAME]);
    await peers.podman("load", "-q", "-i", file);
    both.#app = app.as(NAME);
    return both;
  }

  #app: App | undefined;

  get app(): App {
    if (this.#app === undefined) throw new Error("the image is not here");
    return this.#app;
  }

  /** @returns stdout @throws {Error} when it does not end with 0 */
  async bunker(words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.sandbox.bunker(words);
    if (exitCode !== 0) throw new Error(`bunker ${words.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }
}

/** podman gives the root itself a mode and a time of its own. */
const treeOf = (root: string): TreeSnapshot => snapshotTree(root, (path) => (path === "." ? undefined : {}));
