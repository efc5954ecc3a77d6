/** `bunker images`, `info` and `version`: shapes that people read, and shapes that programs read. */
import { describe, expect } from "bun:test";
import { buildImage, buildIndex, hostPlatform } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";
import { baseLayer } from "../kernel/run/app.ts";

const OWN = hostPlatform();
const OTHER = { os: "linux", architecture: OWN.architecture === "arm64" ? "amd64" : "arm64" };
const layers = [{ entries: [{ name: "file", data: "x".repeat(1_234_567) }] }];
const older = buildImage({ layers, configDocument: { created: "2001-02-03T04:05:06.789Z" } });
const newer = buildImage({ layers: [...layers, { entries: [{ name: "more" }] }] });
const index = buildIndex({ images: [newer, buildImage({ layers, platform: OTHER })] });
const images = { "older:1": older, "newer:latest": index, "library/newer:latest": index };
/** Many commands, on a disk that others use too. */
const TEST_MS_MAX = 60_000;

describe("bunker images", () => {
  kernelTest("prints docker's table, newest first", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    for (const name of ["older:1", "newer"]) await place.pull(name);
    const [first, second] = ["newer", "older"].map((name) => place.name(name));

    const { exitCode, stdout, stderr } = await place.bunker(["images"]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(rows).toEqual([
      ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"],
      [first, "latest", idOf(newer).slice(7, 19), expect.stringMatching(/^\d+ years ago$/), "1.23MB"],
      [second, "1", idOf(older).slice(7, 19), expect.stringMatching(/^2\d years ago$/), "1.23MB"],
    ] as string[][]);
    const starts = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.search(/(TAG|latest|1) {2,}/));
    expect(new Set(starts).size).toBe(1);
  });

  kernelTest("prints exact values with --json", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("older:1");

    const { exitCode, stdout, stderr } = await place.bunker(["images", "--json"]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual([
      {
        id: idOf(older),
        repository: place.name("older"),
        tag: "1",
        dangling: false,
        digest: older.digest,
        created: "2001-02-03T04:05:06.789Z",
        sizeBytes: 1_234_567,
        platform: `linux/${OWN.architecture}`,
        labels: {},
      },
    ]);
  });

  kernelTest(
    "prints docker's lines with --format json, ids with -q, whole ids with --no-trunc",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["older:1", "newer"]) await place.pull(name);
      const lines = async (...flags: string[]): Promise<readonly string[]> =>
        (await place.bunker(["images", ...flags])).stdout.trimEnd().split("\n");

      const json = (await lines("--format", "json")).map(
        (line) => JSON.parse(line) as Record<string, string>,
      );

      expect(json.map(({ Repository, Tag, ID }) => ({ Repository, Tag, ID }))).toEqual([
        { Repository: place.name("newer"), Tag: "latest", ID: idOf(newer).slice(7, 19) },
        { Repository: place.name("older"), Tag: "1", ID: idOf(older).slice(7, 19) },
      ]);
      expect(await lines("-q")).toEqual([idOf(newer).slice(7, 19), idOf(older).slice(7, 19)]);
      expect(await lines("-q", "--no-trunc", place.name("older"))).toEqual([idOf(older)]);
    },
  );

  kernelTest(
    "prints what a template says, and only what filters let through",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["older:1", "newer"]) await place.pull(name);
      const out = async (...words: string[]): Promise<string> => {
        const { exitCode, stdout, stderr } = await place.bunker(["images", ...words]);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        return stdout;
      };
      const tags = (...filters: string[]): Promise<string> =>
        out("--format", "{{.Tag}}", ...filters.flatMap((filter) => ["--filter", filter]));

      const table = await out("--format", "table {{.ID}}\\t{{upper .Tag}}");

      expect(table).toMatch(/^IMAGE ID +TAG\n[0-9a-f]{12} +LATEST\n[0-9a-f]{12} +1\n$/);
      expect(await tags()).toBe("latest\n1\n");
      expect(await tags("reference=*/older")).toBe("1\n");
      expect(await tags("until=2002-01-01")).toBe("1\n");
      expect(await tags(`since=${place.name("older:1")}`)).toBe("latest\n");
      expect(await tags(`before=${idOf(newer).slice(7, 19)}`)).toBe("1\n");
      expect(await tags("label=none")).toBe("");
      expect(await tags("dangling=true")).toBe("");
      expect(await tags("reference=*/older", "reference=*/newer:latest")).toBe("latest\n1\n");
      expect(await out("--digests")).toContain(older.digest);
    },
  );

  kernelTest(
    "takes docker's patterns for a name",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["older:1", "newer"]) await place.pull(name);
      const tags = async (...words: string[]): Promise<string> =>
        (await place.bunker(["images", "--format", "{{.Tag}} {{.CreatedAt}}", ...words])).stdout;

      const wrong = await place.refusal(["images", "*/[older"]);

      expect(await tags("*/older")).toBe("1 2001-02-03 04:05:06 +0000 UTC\n");
      expect(await tags("*/older:[0-9]")).toBe("1 2001-02-03 04:05:06 +0000 UTC\n");
      expect(await tags("old*")).toBe("");
      expect(await tags("--filter", "reference=*/older", "*/newer")).toBe("");
      expect(wrong.message).toBe('Cannot use pattern "*/[older": it ends too early');
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "lets no text of an image do anything to a terminal",
    PULL_NEEDS,
    async (sandbox) => {
      const label = "red \u001b[31m \u009b31m title \u001b]0;x\u0007 reversed \u202e line\u2028 end";
      const hostile = buildImage({
        layers,
        config: { Labels: { [label]: label }, Env: [`A=${label}`], Cmd: [label] },
        configDocument: {
          author: label,
          created: "2020-01-01T00:00:00Z",
          history: [{ created_by: label, comment: label }],
        },
      });
      await using place = new PullPlace(sandbox, { "app:latest": hostile });
      await place.pull();
      const name = place.name();
      const all: readonly (readonly string[])[] = [
        ["images"],
        ["images", "--json"],
        ["images", "--format", "json"],
        ["images", "--filter", `label=${label}`],
        ["inspect", name],
        ["inspect", "-f", "{{.Config.Labels}} {{.Author}}", name],
        ["inspect", "-f", "{{json .Config}}", name],
        ["history", name],
        ["history", "--no-trunc", "--json", name],
        ["history", "--format", "json", name],
        ["history", "--format", "{{.CreatedBy}} {{.Comment}}", name],
        ["image", "tree"],
        ["image", "tree", "--json"],
        ["image", "which", name, "/file"],
        ["image", "which", "--json", name, "/file"],
        ["image", "ls", "-l", name, "/"],
        ["system", "df", "-v"],
        ["system", "df", "-v", "--json"],
      ];

      for (const words of all) {
        const { exitCode, stdout, stderr } = await place.bunker(words);
        expect({ words, exitCode, stderr }).toEqual({ words, exitCode: 0, stderr: "" });
        expect({ words, obeyed: /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u.exec(stdout)?.[0] }).toEqual({
          words,
          obeyed: undefined,
        });
      }
      const json = await place.bunker(["inspect", "-f", "{{json .Config.Labels}}", name]);
      expect(JSON.parse(json.stdout)).toEqual({ [label]: label });
      const listed = await place.bunker(["images", "--json"]);
      expect(JSON.parse(listed.stdout)).toMatchObject([{ labels: { [label]: label } }]);
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "shortens names of Docker Hub, and finds them by the short name",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const pulled = await place.bunker(["pull", "-q", "newer"]);

      const { stdout } = await place.bunker(["images", "--json", "newer"]);
      const none = await place.bunker(["images", "--json", "elsewhere"]);

      expect(pulled.stdout).toBe("docker.io/library/newer:latest\n");
      expect(JSON.parse(stdout)).toMatchObject([
        { repository: "newer", tag: "latest", digest: index.digest },
      ]);
      expect(JSON.parse(none.stdout)).toEqual([]);
    },
  );

  kernelTest("lists each platform, and an image by digest without a tag", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("newer");
    await place.bunker(["pull", "-q", "--platform", `linux/${OTHER.architecture}`, place.name("newer")]);
    await place.bunker(["pull", "-q", `${place.name("older")}@${older.digest}`]);

    const { stdout } = await place.bunker(["images", "--json"]);

    const listed = JSON.parse(stdout) as readonly Record<string, string>[];
    expect(listed.map(({ platform }) => platform).sort()).toEqual(
      [OWN, OWN, OTHER].map(({ architecture }) => `linux/${architecture}`).sort(),
    );
    const pinned = listed.find(({ repository }) => repository === place.name("older"));
    expect(pinned).toMatchObject({ digest: older.digest });
    expect(pinned).not.toHaveProperty("tag");
  });

  kernelTest("is empty, and makes nothing, where nothing was pulled", PULL_NEEDS, async (sandbox) => {
    const table = await sandbox.bunker(["images"]);
    const json = await sandbox.bunker(["images", "--json"]);

    expect([table.exitCode, json.exitCode]).toEqual([0, 0]);
    expect(table.stdout).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n$/);
    expect(json.stdout).toBe("[]\n");
    expect(await Bun.file(`${sandbox.root}/version`).exists()).toBeFalse();
  });
});

describe("bunker run", () => {
  kernelTest(
    "knows an image by its id, as images prints it, and pulls no id",
    PULL_NEEDS,
    async (sandbox) => {
      const image = buildImage({
        layers: [baseLayer()],
        config: { Env: ["PATH=/bin"], Cmd: ["echo", "it"] },
      });
      await using place = new PullPlace(sandbox, { "app:latest": image });
      await place.pull();
      const id = image.configDigest;
      const digits = id.slice("sha256:".length);

      for (const word of [id, digits, id.slice(0, 20), digits.slice(0, 12)])
        expect(await place.bunker(["run", word])).toMatchObject({ exitCode: 0, stdout: "it\n", stderr: "" });
      expect(await place.bunker(["run", "sha256:0123"])).toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining('Cannot find image "sha256:0123": it is not here'),
      });
      expect(await place.bunker(["tag", place.name(), "sha256:0123"])).toMatchObject({
        exitCode: 125,
        stderr: expect.stringContaining("it is an image id, not a name"),
      });
    },
  );
});

describe("bunker info", () => {
  kernelTest("says with --json what the text says", PULL_NEEDS, async (sandbox) => {
    const text = await sandbox.bunker(["info"]);
    const json = await sandbox.bunker(["info", "--json"]);

    expect([text, json].map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
      Array(2).fill({ exitCode: 0, stderr: "" }),
    );
    const known = JSON.parse(json.stdout) as Readonly<Record<string, object>>;
    const titles = text.stdout.split("\n").filter((line) => /^\S.*:$/.test(line));
    expect(titles).toEqual(Object.keys(known).map((title) => `${title}:`));
    expect(known["Directories"]).toEqual({ data: sandbox.root, state: sandbox.state });
    expect(known["Isolation"]).toHaveProperty("grade");
    expect(JSON.stringify(known)).toMatch(/network/i);
  });
});

describe("bunker version", () => {
  kernelTest("is the package's in every form", PULL_NEEDS, async (sandbox) => {
    const { version } = (await Bun.file(new URL("../../package.json", import.meta.url)).json()) as {
      version: string;
    };
    const out = async (...words: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await sandbox.bunker(words);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      return stdout;
    };

    expect(await out("version")).toBe(
      `Version:   ${version}\nBun:       ${Bun.version}\nPlatform:  linux/${OWN.architecture}\n`,
    );
    expect(JSON.parse(await out("version", "--json"))).toEqual({
      version,
      bun: Bun.version,
      platform: `linux/${OWN.architecture}`,
    });
    expect(await out("--version")).toBe(`bunker version ${version}\n`);
  });
});

const idOf = ({ configDigest }: typeof older): string => configDigest;
