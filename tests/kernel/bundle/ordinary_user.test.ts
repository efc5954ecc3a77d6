/** The runtime as an ordinary user with a single id, in a bundle as `spec --rootless` writes it. */
import { describe, expect } from "bun:test";
import { chmodSync, chownSync, copyFileSync, writeFileSync } from "node:fs";
import { runPiped } from "../../helpers/pipes.ts";
import { executable } from "../../helpers/requires.ts";
import { bundleTest } from "../../helpers/runtime_test.ts";

/** A user that no file of this machine knows. */
const USER = 54_321;

describe("a container of an ordinary user", () => {
  bundleTest(
    "runs, and takes processes that have neither HOME nor the score of their parents",
    async (runtime) => {
      const map = [{ containerID: 0, hostID: USER, size: 1 }];
      const namespaces = ["pid", "ipc", "uts", "mount", "user"].map((type) => ({ type }));
      const linux = { namespaces, uidMappings: map, gidMappings: map, cgroupsPath: null };
      const bundle = await runtime.bundle({ sh: "exec sleep 60", linux });
      writeFileSync(`${bundle.root}/etc/passwd`, "root:x:0:0::/somewhere:/bin/sh\n");
      const program = `${runtime.directory}/bunker`;
      copyFileSync(executable, program);
      chmodSync(program, 0o755);
      chownSync(runtime.directory, USER, USER);
      chownSync(bundle.directory, USER, USER);
      const oci = (...words: readonly string[]) =>
        runPiped(
          ["setpriv", "--reuid", `${USER}`, "--regid", `${USER}`, "--clear-groups"].concat(
            [
              "sh",
              "-c",
              'exec "$@" >out 2>err </dev/null',
              "sh",
              program,
              "oci",
              "--root",
              `${runtime.directory}/own`,
            ],
            words,
          ),
          { cwd: runtime.directory },
        );
      const said = async () => [
        await Bun.file(`${runtime.directory}/out`).text(),
        await Bun.file(`${runtime.directory}/err`).text(),
      ];

      await oci("run", "--detach", "--bundle", bundle.directory, bundle.id);
      const started = await said();
      const process = {
        user: { uid: 0, gid: 0 },
        cwd: "/",
        env: ["PATH=/bin"],
        oomScoreAdj: 321,
        args: ["/bin/sh", "-c", "echo $HOME; cat /proc/self/oom_score_adj; id -u"],
      };
      writeFileSync(`${runtime.directory}/process.json`, JSON.stringify(process));
      await oci("exec", "--process", "process.json", bundle.id);
      const exec = await said();
      await oci("delete", "--force", bundle.id);

      expect([started, exec, await said()]).toEqual([
        ["", ""],
        ["/somewhere\n321\n0\n", ""],
        ["", ""],
      ]);
    },
    ["program setpriv", "user namespaces"],
  );
});
