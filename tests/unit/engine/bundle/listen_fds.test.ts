import { describe, expect, test } from "bun:test";
import type { Bundle } from "../../../../src/engine/bundle/bundle.ts";
import { listenFds, withListenFds } from "../../../../src/engine/bundle/listen_fds.ts";

describe("listenFds()", () => {
  test.each([
    [{ LISTEN_PID: "7", LISTEN_FDS: "2" }, 2],
    [{ LISTEN_PID: "8", LISTEN_FDS: "2" }, 0],
    [{ LISTEN_FDS: "2" }, 0],
    [{ LISTEN_PID: "7", LISTEN_FDS: "x" }, 0],
    [{ LISTEN_PID: "7", LISTEN_FDS: "-1" }, 0],
    [{ LISTEN_PID: "7", LISTEN_FDS: "100000" }, 128],
  ])("counts %p as %p", (env, count) => {
    expect(listenFds(env, 7)).toBe(count);
  });
});

describe("withListenFds()", () => {
  const process = { cwd: "/", user: { uid: 0, gid: 0 }, env: ["A=b"] };
  const bundle: Bundle = {
    directory: "/b",
    rootfs: "/b/rootfs",
    bytes: new Uint8Array(),
    config: { ociVersion: "1.3.0", process },
  };

  test("tells the command of its sockets", () => {
    expect(withListenFds(bundle, 2).config.process.env).toEqual(["A=b", "LISTEN_FDS=2", "LISTEN_PID=1"]);
  });

  test("leaves a bundle alone that has none", () => {
    expect(withListenFds(bundle, 0)).toBe(bundle);
  });
});
