/** Several platforms of one name, and all tags of a repository: what is pulled, what is pushed, and what others make of it. */
import { describe, expect } from "bun:test";
import { buildArtifact } from "../helpers/copy_place.ts";
import { startDockerRegistry } from "../helpers/docker_registry.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { type BuiltImage, buildImage, buildIndex, hostPlatform } from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace } from "../helpers/pull_place.ts";
import { replace, status } from "../helpers/registry_faults.ts";
import { tagLists } from "../helpers/registry_lists.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const shared = { entries: [{ name: "shared", data: "shared" }] };
const of = (architecture: string, own: string): BuiltImage =>
  buildImage({
    layers: [shared, { entries: [{ name: "own", data: own }] }],
    platform: { os: "linux", architecture },
  });
const HOST = hostPlatform().architecture;
const OTHER = HOST === "arm64" ? "amd64" : "arm64";
const [own, other, next] = [of(HOST, "own"), of(OTHER, "other"), of(HOST, "next")];
const index = buildIndex({ images: [own, other] });
const attested = buildIndex({ images: [own, other], attestations: true });
const PEER_MS_MAX = 90_000;

describe("bunker push of several platforms", () => {
  kernelTest(
    "pushes the index once all that it names is here, else one image",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:1": index });
      const name = place.name("app:1");
      await place.bunker(["pull", "-q", "--platform", `linux/${HOST}`, name]);
      await using first = await emptied(place);
      const one = await place.bunker(["push", name]);
      await first.stop();
      await using full = serveRegistry({
        port: Number(name.split(":")[1]?.split("/")[0]),
        images: { "app:1": index },
      });
      await place.bunker(["pull", "-q", "--platform", `linux/${OTHER}`, name]);
      await full.stop();
      await using second = await emptied(place);

      const all = await place.bunker(["push", name]);
      const again = await place.bunker(["push", "-q", name]);

      expect(one.stderr).toEndWith(`1: digest: ${own.digest} size: ${own.bytes.length}\n`);
      expect(all).toMatchObject({ exitCode: 0, stdout: `${name}\n` });
      expect(all.stderr).toEndWith(`1: digest: ${index.digest} size: ${index.bytes.length}\n`);
      expect(all.stderr.match(/: Pushed$/gm)).toHaveLength(3);
      expect([...(second.content("app")?.manifests.keys() ?? [])].sort()).toEqual(
        [...index.manifests.keys()].sort(),
      );
      expect([...(second.content("app")?.blobs.keys() ?? [])].sort()).toEqual([...index.blobs.keys()].sort());
      expect(again.exitCode).toBe(0);
      expect(second.requests.at(-1)?.method).toBe("HEAD");
    },
  );

  kernelTest(
    "pushes the image for one platform on demand, and says which are here",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:1": index });
      const name = place.name("app:1");
      for (const platform of [`linux/${HOST}`, `linux/${OTHER}`])
        await place.bunker(["pull", "-q", "--platform", platform, name]);
      await using registry = await emptied(place);

      const pushed = await place.bunker(["push", "-q", "--platform", OTHER, name]);
      const missing = await place.refusal(["push", "-q", "--platform", "linux/s390x", name]);

      expect(pushed).toMatchObject({ exitCode: 0, stderr: "" });
      expect(registry.content("app")?.tags).toEqual(new Map([["1", other.digest]]));
      expect(missing.message).toBe(
        `Cannot find image "${name}" for linux/s390x here: it is here for linux/${HOST}, linux/${OTHER}`,
      );
      expect(missing.hints).toEqual([`Pull it first: bunker pull --platform linux/s390x ${name}`]);
    },
  );

  kernelTest("pushes no index whose attestations are not here", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:1": attested });
    const name = place.name("app:1");
    for (const platform of [`linux/${HOST}`, `linux/${OTHER}`])
      await place.bunker(["pull", "-q", "--platform", platform, name]);
    await using registry = await emptied(place);

    const pushed = await place.bunker(["push", name]);

    expect(registry.content("app")?.tags).toEqual(new Map([["1", own.digest]]));
    expect(pushed.stderr).toContain(
      `Not all images of "${name}" are here: only that for linux/${HOST} is pushed; bunker copy --all takes all`,
    );
  });

  kernelTest(
    "leaves an index alone that the destination has with all its images",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:1": attested });
      const name = place.name("app:1");
      await place.pull("app:1");
      await place.bunker(["tag", name, place.name("app:2")]);

      const same = await place.bunker(["push", name]);
      const tagged = await place.bunker(["push", place.name("app:2")]);

      expect(same.stderr).toEndWith(`1: digest: ${attested.digest} size: ${attested.bytes.length}\n`);
      expect(tagged.stderr).toEndWith(`2: digest: ${attested.digest} size: ${attested.bytes.length}\n`);
      expect(place.registry.content("app")?.tags.get("1")).toBe(attested.digest);
      expect(place.registry.content("app")?.tags.get("2")).toBe(attested.digest);
    },
  );

  kernelTest(
    "pulls both platforms of what podman manifest pushes, and pushes it back with its digest",
    [...PULL_NEEDS, "program podman", "program docker-registry", "program skopeo"],
    async (sandbox) => {
      await using registry = await startDockerRegistry();
      await using place = new PullPlace(sandbox, {});
      await Promise.all([registry.push("app:own", own), registry.push("app:other", other)]);
      const storage = `${sandbox.directory}/podman`;
      const podman = ["podman", "--root", storage, "--runroot", `${storage}-run`, "--storage-driver", "vfs"];
      const name = `${registry.host}/app`;
      await Bun.$`${podman} manifest create list`.quiet();
      for (const tag of ["own", "other"])
        await Bun.$`${podman} manifest add --tls-verify=false list docker://${name}:${tag}`.quiet();
      await Bun.$`${podman} manifest push --all --tls-verify=false list docker://${name}:list`.quiet();

      for (const platform of [`linux/${HOST}`, `linux/${OTHER}`])
        expect((await place.bunker(["pull", "-q", "--platform", platform, `${name}:list`])).exitCode).toBe(0);
      const back = `${registry.host}/back:1`;
      await place.bunker(["tag", `${name}:list`, back]);
      const pushed = await place.bunker(["push", "-q", back]);

      expect(pushed).toMatchObject({ exitCode: 0, stderr: "" });
      const [before, after] = await Promise.all(
        [`${name}:list`, back].map((each) =>
          Bun.$`skopeo inspect --tls-verify=false --raw docker://${each}`.quiet(),
        ),
      );
      expect(after?.stdout.equals(before?.stdout ?? Buffer.alloc(0))).toBeTrue();
    },
    PEER_MS_MAX,
  );
});

describe("bunker images of a name with several platforms", () => {
  kernelTest("names the platform of each, and only then", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, { "app:1": index });
    const name = place.name("app:1");
    const heads = async (): Promise<string[]> => {
      const { stdout } = await place.bunker(["images"]);
      return stdout.split("\n")[0]?.split(/ {2,}/) ?? [];
    };

    await place.bunker(["pull", "-q", name]);
    const one = await heads();
    await place.bunker(["pull", "-q", "--platform", `linux/${OTHER}`, name]);

    expect(one).toEqual(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
    expect(await heads()).toEqual(["REPOSITORY", "TAG", "IMAGE ID", "PLATFORM", "CREATED", "SIZE"]);
    const { stdout: table } = await place.bunker(["images", "--no-trunc"]);
    for (const { platform, configDigest } of [own, other])
      expect(table).toMatch(new RegExp(`${configDigest} +linux/${platform.architecture} `));
    const { stdout: lines } = await place.bunker(["images", "--format", "{{.Tag}} {{.Platform}}"]);
    expect(lines.trimEnd().split("\n").sort()).toEqual(
      [HOST, OTHER].map((architecture) => `1 linux/${architecture}`).sort(),
    );
  });
});

describe("bunker pull --all-tags", () => {
  kernelTest(
    "pulls each tag, page by page, what they share once, with docker's lines",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:1": index, "app:2": next, "app:3": next });
      place.registry.break(tagLists(place.registry, { pageLength: 2 }));
      const name = place.name("app");

      const first = await place.bunker(["pull", "-a", name]);
      const second = await place.bunker(["pull", "--all-tags", name]);

      expect(first).toMatchObject({ exitCode: 0, stdout: `${name}:1\n${name}:2\n${name}:3\n` });
      const lines = first.stderr.trimEnd().split("\n");
      expect(lines.filter((line) => !/^[0-9a-f]{12}: /.test(line))).toEqual([
        `1: Pulling from ${name}`,
        `Digest: ${index.digest}`,
        `2: Pulling from ${name}`,
        `Digest: ${next.digest}`,
        `3: Pulling from ${name}`,
        `Digest: ${next.digest}`,
        `Status: Downloaded newer image for ${name}`,
      ]);
      for (const { descriptor } of [...own.layers, ...next.layers])
        expect(place.registry.count(new RegExp(`^GET .*/blobs/${descriptor.digest}`))).toBe(1);
      expect(second.stderr).toEndWith(`Status: Image is up to date for ${name}\n`);
    },
  );

  kernelTest(
    "passes over what is no image, or for other platforms, and says so",
    PULL_NEEDS,
    async (sandbox) => {
      const note = buildArtifact("application/x-note", "note");
      await using place = new PullPlace(sandbox, { "app:1": next, "app:note": note, "app:other": other });
      place.registry.break(tagLists(place.registry));
      const name = place.name("app");

      const result = await place.bunker(["pull", "-a", name]);

      expect(result).toMatchObject({ exitCode: 0, stdout: `${name}:1\n` });
      expect(result.stderr).toContain(
        `note: Skipped: Cannot pull image "${name}:note": it is no image that can run\n`,
      );
      expect(result.stderr).toContain(
        `other: Skipped: Cannot pull image "${name}:other": it is not for linux/${HOST}`,
      );
    },
  );

  kernelTest(
    "fails for a tag, for a repository without tags, and with lists that are none",
    PULL_NEEDS,
    async (sandbox) => {
      await using place = new PullPlace(sandbox, { "app:1": other });
      const messageOf = async (name: string) => (await place.refusal(["pull", "-q", "-a", name])).message;

      expect(await messageOf(place.name("app:1"))).toBe("tag cannot be used with --all-tags/-a");
      expect(await messageOf(place.name("none"))).toStartWith(`Cannot pull tags of "${place.name("none")}"`);
      place.registry.break(
        replace({ on: /tags\/list/, times: 1 }, () => Response.json({ tags: ["../../x"] })),
        replace({ on: /tags\/list/, times: 1 }, () => new Response("<html>")),
        replace({ on: /tags\/list/, times: 1 }, () => Response.json({ tags: null })),
        status(429, { on: /tags\/list/, times: 1, headers: { "Retry-After": "600" } }),
        tagLists(place.registry),
      );
      expect(await messageOf(place.name("app"))).toBe(`Cannot pull tags of "${place.name("app")}"`);
      expect(await messageOf(place.name("app"))).toBe(`Cannot pull tags of "${place.name("app")}"`);
      expect(await messageOf(place.name("app"))).toContain("it has no image for this machine");
      expect(await messageOf(place.name("app"))).toContain("it asks to wait 600 s");
      expect(await messageOf(place.name("app"))).toContain("it has no image for this machine");
    },
  );
});

/** The place's registry ends, and another one takes its address, without any image. */
async function emptied(place: PullPlace): Promise<ReturnType<typeof serveRegistry>> {
  await place.registry.stop();
  return serveRegistry({ port: Number(place.registry.host.split(":")[1]) });
}
