/** What a registry can refuse, damage or lack, as a user of `bunker pull` meets it: one message, and nothing changes. */
import { describe, expect } from "bun:test";
import {
  type BuiltDocument,
  type BuiltLayer,
  buildImage,
  buildIndex,
  hostPlatform,
} from "../helpers/image_builder.ts";
import { PULL_NEEDS, PullPlace, type Refusal, refusalOf } from "../helpers/pull_place.ts";
import {
  BLOBS,
  corrupt,
  type Fault,
  MANIFESTS,
  mapBody,
  replace,
  status,
} from "../helpers/registry_faults.ts";
import { noise } from "../helpers/registry_fixture.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";

const OTHER = { os: "linux", architecture: hostPlatform().architecture === "arm64" ? "amd64" : "arm64" };
const OWN = `linux/${hostPlatform().architecture}`;
const NO_DIGEST = `sha256:${"0".repeat(64)}`;
/** Nothing listens there: port 1 needs root and is nobody's. */
const DEAD_HOST = "127.0.0.1:1";

const good = buildImage({ layers: [{ entries: [{ name: "etc/" }, { name: "etc/good", data: "good" }] }] });
/** Large enough that a blob can be cut in its middle. */
const app = buildImage({ layers: [{ entries: [{ name: "noise", data: noise(100_000) }] }] });
const foreign = buildImage({ layers: [{ entries: [{ name: "foreign" }] }], platform: OTHER });
const [layer] = app.layers as readonly [BuiltLayer];
const images: Readonly<Record<string, BuiltDocument>> = {
  "good:latest": good,
  "app:latest": app,
  "truncated:latest": {
    ...app,
    blobs: new Map([...app.blobs, [layer.descriptor.digest, layer.blob.subarray(0, 500)]]),
  },
  "foreign:latest": foreign,
  "foreign:index": buildIndex({ images: [foreign] }),
};

describe("bunker pull of what the registry does not have", () => {
  const cases: ReadonlyArray<readonly [string, (place: PullPlace) => readonly string[], RegExp]> = [
    [
      "an unknown image",
      (place) => [place.name("missing")],
      /"127\.0\.0\.1:\d+\/missing:latest".*no such repository/,
    ],
    ["an unknown tag", (place) => [place.name("good:missing")], /good:missing".*no such tag or digest/],
    [
      "a digest that nobody knows",
      (place) => [`${place.name("good")}@${NO_DIGEST}`],
      /no such tag or digest/,
    ],
    [
      "a platform that is not in the index",
      (place) => ["--platform", "linux/s390x", place.name("foreign:index")],
      new RegExp(`it is not for linux/s390x, but for linux/${OTHER.architecture}$`),
    ],
    [
      "this machine's platform, which is not in the index",
      (place) => [place.name("foreign:index")],
      new RegExp(`it is not for ${OWN}, but for linux/${OTHER.architecture}$`),
    ],
    [
      "this machine's platform, of an image for another",
      (place) => [place.name("foreign")],
      new RegExp(`it is not for ${OWN}, but for linux/${OTHER.architecture}$`),
    ],
    [
      "a platform, of an image for another",
      (place) => ["--platform", "linux/s390x", place.name("good")],
      new RegExp(`it is not for linux/s390x, but for ${OWN}$`),
    ],
    [
      "a platform that is none",
      (place) => ["--platform", "nonsense", place.name("good")],
      /platform "nonsense"/,
    ],
  ];
  for (const [what, words, message] of cases) {
    kernelTest(`refuses ${what}`, PULL_NEEDS, async (sandbox) => {
      const refusal = await refusedPull(sandbox, { words });

      expect(refusal.message).toMatch(message);
    });
  }

  kernelTest("names --platform when another one exists", PULL_NEEDS, async (sandbox) => {
    const { hints } = await refusedPull(sandbox, { words: (place) => [place.name("foreign")] });

    expect(hints.join()).toContain("--platform");
  });

  kernelTest("is also refused on behalf of a run", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    const run = (name: string) => place.refusal(["run", "-q", place.name(name), "true"]);

    const refusals = [await run("missing"), await run("good:missing"), await run("foreign")];

    expect(refusals.map(({ exitCode, stdout }) => ({ exitCode, stdout }))).toEqual(
      Array(3).fill({ exitCode: 125, stdout: "" }),
    );
  });
});

describe("bunker pull from a registry that refuses", () => {
  const cases: ReadonlyArray<readonly [string, () => Fault, RegExp]> = [
    ["with 401", () => status(401), /does not exist, or only members may pull it/],
    ["with 403", () => status(403), /denies access/],
    ["with 404 and a page of HTML", () => status(404, { body: "<html><h1>nothing" }), /has no such/],
    [
      "with 429 for longer than anyone waits, in seconds",
      () => status(429, { headers: { "Retry-After": "3600" } }),
      /allows no more requests for now; it asks to wait 3600 s/,
    ],
    [
      "with 429 for longer than anyone waits, by date",
      () => status(429, { headers: { "Retry-After": new Date(Date.now() + 3_600_000).toUTCString() } }),
      /allows no more requests for now; it asks to wait 3[56]\d\d s/,
    ],
  ];
  for (const [what, fault, message] of cases) {
    kernelTest(`${what} says so at once`, PULL_NEEDS, async (sandbox) => {
      const started = performance.now();
      const refusal = await refusedPull(sandbox, { fault });

      expect(refusal.message).toMatch(message);
      expect(refusal.hints).not.toEqual([]);
      expect(performance.now() - started).toBeLessThan(30_000);
    });
  }

  kernelTest("because it is down names the address", PULL_NEEDS, async (sandbox) => {
    const { message, because } = await refusedPull(sandbox, { words: () => [`${DEAD_HOST}/app`] });

    expect(message).toBe(`Cannot reach "${DEAD_HOST}": nothing listens there`);
    expect(because).toEqual(["ECONNREFUSED"]);
  });

  const waits: ReadonlyArray<readonly [string, () => string, number]> = [
    ["a number of seconds", () => "2", 2000],
    // A date has no fractions: three seconds ahead are at least two.
    ["a date", () => new Date(Date.now() + 3000).toUTCString(), 1500],
  ];
  for (const [what, retryAfter, atLeastMs] of waits) {
    kernelTest(`with 429 waits as Retry-After asks, ${what}, and goes on`, PULL_NEEDS, async (sandbox) => {
      await using place = new PullPlace(sandbox, images);
      const refuse = (): Response =>
        new Response(null, { status: 429, headers: { "Retry-After": retryAfter() } });
      place.registry.break(replace({ times: 1 }, refuse));

      const { exitCode, durationMs } = await place.bunker(["pull", "-q", place.name()]);

      expect(exitCode).toBe(0);
      expect(durationMs).toBeGreaterThan(atLeastMs);
    });
  }
});

describe("bunker pull of damaged content", () => {
  const cases: ReadonlyArray<readonly [string, () => Fault]> = [
    ["a blob with a flipped bit", () => corrupt({ on: new RegExp(layer.descriptor.digest), at: 50_000 })],
    ["a configuration with a flipped bit", () => corrupt({ on: new RegExp(app.configDigest), at: 5 })],
    [
      "a manifest with a space more",
      () => mapBody({ on: MANIFESTS }, (bytes) => Buffer.concat([bytes, Buffer.of(32)])),
    ],
  ];
  for (const [what, fault] of cases) {
    kernelTest(
      `refuses ${what}`,
      PULL_NEEDS,
      async (sandbox) => {
        const refusal = await refusedPull(sandbox, { fault });

        const said = [refusal.message, ...refusal.because].join("\n");
        expect(said).toMatch(/sha256:[0-9a-f]{64}|bytes/);
      },
      60_000,
    );
  }

  kernelTest(
    "refuses a blob of which the registry has the beginning only",
    PULL_NEEDS,
    async (sandbox) => {
      const { message, because } = await refusedPull(sandbox, {
        words: (place) => [place.name("truncated")],
      });

      expect([message, ...because].join("\n")).toMatch(/bytes/);
    },
    60_000,
  );

  kernelTest("refuses a manifest that is not the pinned one", PULL_NEEDS, async (sandbox) => {
    const { message } = await refusedPull(sandbox, {
      words: (place) => [`${place.name()}@${app.digest}`],
      fault: () => mapBody({ on: MANIFESTS }, () => good.bytes),
    });

    expect(message).toBe(`Cannot use manifest "${app.digest}": the registry sent "${good.digest}"`);
  });

  kernelTest("refuses a manifest that is no JSON", PULL_NEEDS, async (sandbox) => {
    const text = Buffer.from("{nope");
    const { message } = await refusedPull(sandbox, {
      fault: () => headersOf(mapBody({ on: MANIFESTS }, () => text)),
    });

    expect(message).toContain("app");
  });

  kernelTest("works again as soon as the registry does", PULL_NEEDS, async (sandbox) => {
    await using place = new PullPlace(sandbox, images);
    place.registry.break(corrupt({ on: BLOBS, at: 50_000 }));
    await place.refusal(["pull", "-q", place.name()]);
    place.registry.reset();

    const { exitCode, stderr } = await place.bunker(["pull", "-q", place.name()]);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });
});

interface Attempt {
  /** Words after `pull -q` [app]. */
  readonly words?: (place: PullPlace) => readonly string[];
  readonly fault?: () => Fault;
}

/** Pulls beside an image that is there already, which must be all that the store holds before and after. */
async function refusedPull(sandbox: Sandbox, { words, fault }: Attempt): Promise<Refusal> {
  await using place = new PullPlace(sandbox, images);
  await place.pull("good");
  const before = place.content();
  if (fault !== undefined) place.registry.break(fault());

  const result = await place.bunker(["pull", "-q", ...(words?.(place) ?? [place.name()])], {
    timeoutMs: 50_000,
  });

  const refusal = refusalOf(result);
  expect({ exitCode: refusal.exitCode, stdout: refusal.stdout }).toEqual({ exitCode: 125, stdout: "" });
  expect(place.content()).toEqual(before);
  return refusal;
}

/** The digest that a registry announces must not be what gives a damaged manifest away. */
function headersOf(fault: Fault): Fault {
  return {
    takes: (request) => fault.takes(request),
    reply: async (request, next) => {
      const reply = await fault.reply(request, next);
      const bytes = await reply.bytes();
      const kept = new Headers(reply.headers);
      kept.delete("docker-content-digest");
      return new Response(new Uint8Array(bytes), { status: reply.status, headers: kept });
    },
  };
}
