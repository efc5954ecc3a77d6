/** `bunker save`: archives that others read, of the digests that were pulled. */
import { describe, expect } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { programs } from "../helpers/bunker.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const shared = { entries: [{ name: "shared", data: "shared" }] };
const one = buildImage({ layers: [shared, { entries: [{ name: "one" }], compression: "zstd" }] });
const two = buildImage({ layers: [shared, { entries: [{ name: "two" }] }], flavour: "docker" });
const images = { "one:latest": one, "two:7": two };

const LARGE_BYTES = 64 << 20;
const TRIES_MAX = 20;
/** A large image, on a disk that others use too. */
const TEST_MS_MAX = 60_000;

/** Bytes of a file in `directory` that a process writes, and that has no name yet; 0 where there is none. */
function unnamedBytes(pid: number, directory: string): number {
  try {
    const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
    const file = fds.find((fd) => readlinkSync(fd).startsWith(`${directory}/#`));
    return file === undefined ? 0 : statSync(file).size;
  } catch {
    // Closed meanwhile, or the process has ended.
    return 0;
  }
}

describe("bunker save", () => {
  kernelTest(
    "writes an OCI layout with docker's manifest.json, each blob once",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      for (const name of ["one", "two:7"]) await place.pull(name);
      const [file, directory] = [`${sandbox.directory}/saved.tar`, `${sandbox.directory}/saved`];
      const words = ["save", place.name("one"), place.name("two:7")];

      const toFile = await place.bunker([...words, "-o", file]);
      const toPipe = await place.bunker(words);
      await Bun.$`mkdir ${directory} && tar xf ${file} -C ${directory}`.quiet();

      expect(toFile).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
      expect(toPipe.stdout).toBe(readFileSync(file, "utf8"));
      const expected = [...one.blobs.keys(), ...two.blobs.keys(), one.digest, two.digest];
      expect(readdirSync(`${directory}/blobs/sha256`).sort()).toEqual(
        [...new Set(expected)].map((digest) => digest.slice(7)).sort(),
      );
      const read = (name: string): unknown => JSON.parse(readFileSync(`${directory}/${name}`, "utf8"));
      expect(read("oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
      expect(read("index.json")).toMatchObject({
        manifests: [
          { digest: one.digest, annotations: { "io.containerd.image.name": `${place.name("one")}:latest` } },
          { digest: two.digest, annotations: { "org.opencontainers.image.ref.name": "7" } },
        ],
      });
      expect(read("manifest.json")).toEqual(
        [one, two].map((image, at) => ({
          Config: `blobs/sha256/${image.configDigest.slice(7)}`,
          RepoTags: [at === 0 ? `${place.name("one")}:latest` : place.name("two:7")],
          Layers: image.layers.map(({ descriptor }) => `blobs/sha256/${descriptor.digest.slice(7)}`),
        })),
      );
    },
  );

  kernelTest(
    "leaves nothing of a file when a signal ends it",
    PULL_NEEDS,
    async (sandbox) => {
      const large = {
        entries: [{ name: "large", data: new Uint8Array(LARGE_BYTES) }],
        compression: "none",
      } as const;
      await using place = new PullPlace(sandbox, { "app:latest": buildImage({ layers: [large] }) });
      await place.pull();
      const [file, words] = [
        `${sandbox.directory}/saved.tar`,
        ["save", "-o", `${sandbox.directory}/saved.tar`],
      ];
      const ends = async (): Promise<number | undefined> => {
        const child = Bun.spawn([...programs["dist/bunker"], ...words, place.name()], {
          env: { ...process.env, BUNKER_ROOT: sandbox.root, BUNKER_STATE: sandbox.state },
          stderr: "inherit",
        });
        const written = (): number => unnamedBytes(child.pid, sandbox.directory);
        while (child.exitCode === null && written() === 0) await Bun.sleep(1);
        child.kill("SIGSTOP");
        const isEarly = written() > 0 && written() < LARGE_BYTES / 2;
        child.kill("SIGTERM");
        child.kill("SIGCONT");
        const code = await child.exited;
        return isEarly ? code : undefined;
      };

      let code = await ends();
      // It may have been near its end already.
      for (let tries = 1; code !== 143 && tries < TRIES_MAX; tries += 1) {
        rmSync(file, { force: true });
        code = await ends();
      }

      expect(code).toBe(143);
      expect(readdirSync(sandbox.directory).filter((name) => name.startsWith("saved"))).toEqual([]);
    },
    TEST_MS_MAX,
  );

  kernelTest(
    "is read by skopeo as both kinds of archive, with equal digests",
    [...PULL_NEEDS, "program skopeo"],
    async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      await place.pull("one");
      await place.bunker(["tag", place.name("one"), "one:x"]);
      const file = `${sandbox.directory}/saved.tar`;
      await place.bunker(["save", "one:x", "-o", file]);

      const raw = await Bun.$`skopeo inspect --raw oci-archive:${file}:x`.quiet();
      const target = `dir:${sandbox.directory}/copied`;
      await Bun.$`skopeo copy --insecure-policy docker-archive:${file}:one:x ${target}`.quiet();

      expect(raw.stdout.equals(Buffer.from(one.bytes))).toBeTrue();
      expect(existsSync(`${sandbox.directory}/copied/manifest.json`)).toBeTrue();
    },
  );

  kernelTest("refuses a blob that is damaged or missing, and leaves no file", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    await place.pull("one");
    const file = `${sandbox.directory}/saved.tar`;
    const blob = `${sandbox.root}/blobs/sha256/${one.layers[0]?.descriptor.digest.slice(7)}`;
    const whole = readFileSync(blob);

    writeFileSync(blob, Buffer.alloc(whole.length));
    const damaged = await place.refusal(["save", place.name("one"), "-o", file]);
    rmSync(blob);
    const missing = await place.refusal(["save", place.name("one"), "-o", file]);
    const nowhere = await place.refusal(["save", "nowhere"]);

    expect(damaged.message).toEndWith("its content is something else");
    expect(missing.message).toEndWith("is not here");
    expect(nowhere.message).toBe('Cannot find image "nowhere": it is not here');
    expect(readdirSync(sandbox.directory).filter((name) => name.startsWith("saved"))).toEqual([]);
  });
});
