import { describe, expect, test } from "bun:test";
import { applyChanges, type ChangeableConfig, changeableConfig } from "../../../../src/oci/change/change.ts";

const config: ChangeableConfig = {
  Env: ["PATH=/bin", "A=1"],
  Cmd: ["sh"],
  Entrypoint: ["/init"],
  WorkingDir: "/srv",
  Labels: { old: "yes" },
  ExposedPorts: { "80/tcp": {} },
  Volumes: { "/data": {} },
};

/** What one list of changes makes of the configuration: only the fields that differ. */
function changed(...changes: string[]): object {
  const result = applyChanges(config, changes);
  return Object.fromEntries(
    Object.entries(result).filter(([key, value]) => !Bun.deepEquals(value, config[key])),
  );
}

/** docker's own results for these lines (dockerfile reference; moby's builder). */
const cases: readonly [string, object][] = [
  ['CMD ["echo", "a b"]', { Cmd: ["echo", "a b"] }],
  // As podman has it.
  ['CMD=["ash"]', { Cmd: ["ash"] }],
  ["ENV=A=3", { Env: ["PATH=/bin", "A=3"] }],
  ["CMD echo $A", { Cmd: ["/bin/sh", "-c", "echo $A"] }],
  ["cmd [ -f /x ] && echo y", { Cmd: ["/bin/sh", "-c", "[ -f /x ] && echo y"] }],
  ['ENTRYPOINT ["/x"]', { Entrypoint: ["/x"], Cmd: null }],
  ['CMD ["a"]\nENTRYPOINT ["/x"]', { Entrypoint: ["/x"], Cmd: ["a"] }],
  ["ENV B=2 A=3", { Env: ["PATH=/bin", "A=3", "B=2"] }],
  ["ENV PATH=/opt/bin:$PATH", { Env: ["PATH=/opt/bin:/bin", "A=1"] }],
  ["ENV B two words", { Env: ["PATH=/bin", "A=1", "B=two words"] }],
  [`ENV B='$A' C="\${A}x" D=\\$A E=a\\ b`, { Env: ["PATH=/bin", "A=1", "B=$A", "C=1x", "D=$A", "E=a b"] }],
  [`ENV B=\${A:-x}\${Z:-y}\${A:+z}\${Z:+w}`, { Env: ["PATH=/bin", "A=1", "B=1yz"] }],
  ["ENV B=", { Env: ["PATH=/bin", "A=1", "B="] }],
  [
    "EXPOSE 443 53/UDP 8000-8002",
    {
      ExposedPorts: {
        "80/tcp": {},
        "443/tcp": {},
        "53/udp": {},
        "8000/tcp": {},
        "8001/tcp": {},
        "8002/tcp": {},
      },
    },
  ],
  ['LABEL new="a b" old=no', { Labels: { old: "no", new: "a b" } }],
  ["LABEL __proto__=x", { Labels: { old: "yes", ["__proto__"]: "x" } }],
  ["USER app:app", { User: "app:app" }],
  ['VOLUME ["/a b", "/data"]', { Volumes: { "/data": {}, "/a b": {} } }],
  ["VOLUME /a /b", { Volumes: { "/data": {}, "/a": {}, "/b": {} } }],
  ["WORKDIR /opt", { WorkingDir: "/opt" }],
  ["WORKDIR a b/../c", { WorkingDir: "/srv/c" }],
  ["STOPSIGNAL SIGQUIT", { StopSignal: "SIGQUIT" }],
  ["ONBUILD RUN make $A", { OnBuild: ["RUN make $A"] }],
  ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
  [
    "HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f x",
    {
      Healthcheck: { Test: ["CMD-SHELL", "curl -f x"], Interval: 90e9, Retries: 3 },
    },
  ],
  [
    'HEALTHCHECK --timeout=500ms --start-period=0 CMD ["true"]',
    {
      Healthcheck: { Test: ["CMD", "true"], Timeout: 5e8, StartPeriod: 0 },
    },
  ],
  ["ENV B=1 \\\n  C=2", { Env: ["PATH=/bin", "A=1", "B=1", "C=2"] }],
  ["# a comment\nUSER 1\n\nWORKDIR /", { User: "1", WorkingDir: "/" }],
];

/** Each with a part of its message. */
const refusals: readonly [string, string][] = [
  ["RUN true", '"RUN" is none of CMD, ENTRYPOINT'],
  ["constructor x", '"constructor" is none of'],
  ["CMD", "it has no argument"],
  ["ENV A", '"A" has no value'],
  ["ENV A=1 B", '"B" is not of the form KEY=value'],
  ["ENV =x", "is not of the form KEY=value"],
  ["ENV A='x", "a single quote is not closed"],
  ['ENV A="x', "a double quote is not closed"],
  ["ENV A=${B", '"${B" is not closed'],
  [`ENV A=\${}`, "is not followed by a name"],
  ["EXPOSE 65536", '"65536" is not a port'],
  ["EXPOSE 9-1", '"9-1" is not a port'],
  ["EXPOSE 80/icmp", "is not a port"],
  ["USER a b", "one word is wanted"],
  ['VOLUME [""]', "a path is empty"],
  ["ONBUILD FROM x", '"FROM" cannot wait'],
  ["HEALTHCHECK curl", "either NONE or CMD is wanted"],
  ["HEALTHCHECK --interval=5 CMD x", "is not a duration"],
  ["HEALTHCHECK --interval=1ns CMD x", "less than 1ms"],
  ["HEALTHCHECK --retries=-1 CMD x", "is not a number"],
  ["HEALTHCHECK --color=1 CMD x", "is no option of HEALTHCHECK"],
  [`CMD ${"x".repeat(1 << 16)}`, "it is too long"],
  [`ENV A=${"${B:-".repeat(17)}${"}".repeat(17)}`, "nested too deeply"],
];

describe("applyChanges()", () => {
  test.each(cases)("applies %j", (change, expected) => {
    expect(changed(change)).toEqual(expected);
  });

  test.each(refusals.map(([change, message]) => [change.slice(0, 60), change, message] as const))(
    "refuses %j",
    (_, change, message) => {
      expect(() => applyChanges(config, [change])).toThrow(SyntaxError);
      expect(() => applyChanges(config, [change])).toThrow(message);
    },
  );

  test("uses a shell of the image, and begins with nothing", () => {
    expect(applyChanges({ Shell: ["/bin/ash", "-ec"] }, ["CMD x"])).toEqual({
      Shell: ["/bin/ash", "-ec"],
      Cmd: ["/bin/ash", "-ec", "x"],
    });
    expect(applyChanges({}, ["WORKDIR a", "VOLUME /x", "ENV A=1"])).toEqual({
      WorkingDir: "/a",
      Volumes: { "/x": {} },
      Env: ["A=1"],
    });
  });

  test("refuses more changes than anybody has", () => {
    expect(() => applyChanges({}, ["USER 1\n".repeat(1001)])).toThrow("Cannot apply 1001 changes");
  });
});

describe("changeableConfig()", () => {
  test("leaves out what docker writes as null, and refuses lists that are none", () => {
    expect(changeableConfig({ Env: null, Cmd: ["a"], OnBuild: null })).toEqual({ Cmd: ["a"] });
    expect(() => changeableConfig({ Shell: "sh" })).toThrow("config.Shell");
    expect(() => changeableConfig({ OnBuild: [1] })).toThrow("config.OnBuild[0]");
  });
});
