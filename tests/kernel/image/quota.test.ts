/** Disk quotas: what `system df` tells of them, and a pull that meets one. Root without CAP_SYS_RESOURCE is limited too. */
import { describe, expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from "../../../src/linux/abi/fcntl.ts";
import { DQBLK_SIZE, PRJQUOTA, USRQUOTA } from "../../../src/linux/abi/quota.ts";
import { call } from "../../../src/linux/call.ts";
import { Fd, openat } from "../../../src/linux/file.ts";
import { buildImage } from "../../helpers/image_builder.ts";
import { runPiped } from "../../helpers/pipes.ts";
import { PullPlace, refusalOf } from "../../helpers/pull_place.ts";
import { noise } from "../../helpers/registry_fixture.ts";
import type { Need } from "../../helpers/requires.ts";
import { kernelTest, type Sandbox } from "../../helpers/sandbox.ts";

const NEEDS: readonly Need[] = ["root", "disk quotas", "program setpriv", "the executable"];
const PROJECT = 7;
const MIB = 1 << 20;
const TEST_MS_MAX = 60_000;

/** quotactl(2): limits of blocks and inodes are in the structure; linux/quota.h. */
const Q_SETQUOTA = 0x800008;
const QIF_LIMITS = 5;
const VALID_WORD = 16;

const small = buildImage({ layers: [{ entries: [{ name: "small", data: "x" }] }] });
const large = buildImage({ layers: [{ entries: [{ name: "large", data: noise(12 * MIB) }] }] });
const many = buildImage({
  layers: [{ entries: Array.from({ length: 900 }, (_, index) => ({ name: `file-${index}` })) }],
});
const images = { "small:latest": small, "large:latest": large, "many:latest": many };

describe("disk quotas", () => {
  const owners = [
    ["user", USRQUOTA, 0],
    ["project", PRJQUOTA, PROJECT],
  ] as const;
  for (const [kind, type, id] of owners) {
    kernelTest(
      `of a ${kind} are told, and named by the pull that meets them`,
      NEEDS,
      async (sandbox) => {
        await using place = new PullPlace(sandbox, images);
        await mountWithQuotas(sandbox);
        try {
          setQuota(sandbox.root, { type, id, limitBytes: 8 * MIB, limitInodes: 500 });

          const pulled = await limited(place, ["pull", "-q", place.name("small")]);
          const table = await limited(place, ["system", "df"]);
          const space = refusalOf(await limited(place, ["pull", "-q", place.name("large")]));
          const inodes = refusalOf(await limited(place, ["pull", "-q", place.name("many")]));

          expect(pulled).toMatchObject({ exitCode: 0, stderr: "" });
          expect(table.stdout).toMatch(
            new RegExp(
              `^Left of the quota of ${kind} ${id}: 8\\.\\d+MB of 8\\.39MB, \\d+ of 500 inodes$`,
              "m",
            ),
          );
          for (const { message, hints } of [space, inodes]) {
            expect(message).toEndWith(`:latest": the quota of ${kind} ${id} is used up`);
            expect(hints).toEqual([
              "Raise the quota, free some space, or move the data to another disk with --root",
            ]);
          }
        } finally {
          await Bun.$`umount ${sandbox.root}`;
        }
      },
      TEST_MS_MAX,
    );
  }
});

async function mountWithQuotas({ directory, root }: Sandbox): Promise<void> {
  mkdirSync(root);
  const disk = `${directory}/disk`;
  await Bun.$`truncate -s 64M ${disk}`;
  await Bun.$`mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota ${disk}`.quiet();
  await Bun.$`mount -o loop,usrquota,prjquota ${disk} ${root}`;
  await Bun.$`chattr -p ${PROJECT} +P ${root}`;
}

function setQuota(
  root: string,
  limit: { type: number; id: number; limitBytes: number; limitInodes: number },
): void {
  using fd = new Fd(openat(AT_FDCWD, root, { flags: O_RDONLY | O_DIRECTORY }));
  const words = new BigUint64Array(new ArrayBuffer(DQBLK_SIZE));
  words[0] = BigInt(limit.limitBytes / 1024);
  words[3] = BigInt(limit.limitInodes);
  new Uint32Array(words.buffer)[VALID_WORD] = QIF_LIMITS;
  const command = ((Q_SETQUOTA << 8) | limit.type) >>> 0;
  call("quotactl_fd", fd.number, command, limit.id, new Uint8Array(words.buffer));
}

/** bunker without the capability by which root meets no quota. */
function limited({ config, sandbox }: PullPlace, words: readonly string[]) {
  const program = new URL("../../../dist/bunker", import.meta.url).pathname;
  return runPiped(["setpriv", "--bounding-set=-sys_resource", program, ...words], {
    env: {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: "/",
      BUNKER_ROOT: sandbox.root,
      BUNKER_STATE: sandbox.state,
      BUNKER_CONFIG: config,
    },
  });
}
