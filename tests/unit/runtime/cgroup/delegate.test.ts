/** Who gets the subtree of a container. */
import { describe, expect, test } from "bun:test";
import type { Linux, RuntimeConfig } from "../../../../src/oci/bundle/config.ts";
import { subtreeOwner } from "../../../../src/runtime/cgroup/delegate.ts";

const MOUNT = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] };
const MAPPINGS = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 5000, size: 100 },
];

function configOf(linux: Linux, { uid = 0, mount = MOUNT } = {}): RuntimeConfig {
  return { ociVersion: "1.3.0", process: { cwd: "/", user: { uid, gid: 0 } }, mounts: [mount], linux };
}

describe("subtreeOwner()", () => {
  const own: Linux = { namespaces: [{ type: "cgroup" }, { type: "user" }], uidMappings: MAPPINGS };

  test("is the host's number of the container's user", () => {
    expect(subtreeOwner(configOf(own))).toBe(1000);
    expect(subtreeOwner(configOf(own, { uid: 7 }))).toBe(5006);
    expect(subtreeOwner(configOf({ namespaces: [{ type: "cgroup" }] }, { uid: 7 }))).toBe(7);
  });

  test("is nobody without a namespace of its own, or where the mount is read-only", () => {
    expect(subtreeOwner(configOf({ ...own, namespaces: [{ type: "user" }] }))).toBeUndefined();
    expect(subtreeOwner(configOf({ ...own, namespaces: [{ type: "cgroup", path: "/x" }] }))).toBeUndefined();
    expect(subtreeOwner(configOf(own, { mount: { ...MOUNT, options: ["ro"] } }))).toBeUndefined();
    expect(subtreeOwner(configOf(own, { mount: { ...MOUNT, type: "bind" } }))).toBeUndefined();
  });

  test("is nobody when the maps are not known", () => {
    const joined: Linux = { namespaces: [{ type: "cgroup" }, { type: "user", path: "/x" }] };

    expect(subtreeOwner(configOf(joined))).toBeUndefined();
    expect(subtreeOwner(configOf(own, { uid: 900 }))).toBeUndefined();
  });
});
