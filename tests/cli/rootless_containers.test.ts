/** Containers of an ordinary user, whose files belong to several ids: told, exported, committed, imported. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { onOverlay } from "../helpers/confined.ts";
import { runPiped } from "../helpers/pipes.ts";
import { testIf } from "../helpers/requires.ts";
import { ROOTLESS_NEEDS, sharedPlace, type User } from "../helpers/rootless_place.ts";
import { listTar } from "../helpers/tar_listing.ts";

const TEST_MS_MAX = 90_000;

const place = sharedPlace();

const CHANGES = [
  "mkdir /srv/dir; echo mine > /srv/dir/secret; chmod 600 /srv/dir/secret",
  "chown 1000:1000 /srv/dir/secret 2>/dev/null; rm /srv/roots; echo changed > /srv/owned",
  "rm -r /home/user; mkdir /home/user; echo new > /home/user/new",
];

/** Starts a container called `box` of that user, whose script has come to its end. */
async function start(user: User): Promise<Bun.Subprocess<"pipe", "pipe", "inherit">> {
  const script = `${CHANGES.join("\n")}\necho ready; read end`;
  const command = [
    "run",
    "-q",
    "-i",
    "--name=box",
    "-e",
    "SECRET=hidden",
    place().reference,
    "sh",
    "-c",
    script,
  ];
  const child = Bun.spawn([...user.prefix, ...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  await child.stdout.getReader().read();
  return child;
}

describe("bunker diff, export, commit and import as an ordinary user", () => {
  const users: ReadonlyArray<readonly [kind: string, userOf: () => User]> = [
    ["with id ranges", () => place().ranged],
    ["with one id", () => place().single()],
  ];
  for (const [kind, userOf] of users) {
    testIf(
      ROOTLESS_NEEDS,
      `read and make files of all owners: ${kind}`,
      async () => {
        const user = userOf();
        const owner = kind === "with one id" ? 0 : 1000;
        const file = `${user.directory("archives")}/box.tar`;
        await user.bunker(["pull", "-q", place().reference]);
        const box = await start(user);

        const diff = await user.bunker(["diff", "box"]);
        const exported = await user.bunker(["export", "-o", file, "box"]);
        const commit = await user.bunker([
          "commit",
          "-c",
          "CMD cat /srv/dir/secret /home/user/new",
          "box",
          "new",
        ]);
        const asked = await user.bunker(["commit", "--pause", "box", "other"]);
        box.stdin.end();
        await box.exited;
        const run = await user.bunker(["run", "new"]);
        const imported = await user.bunker(["import", "-c", "ENV PATH=/bin", file, "flat"]);
        const flat = await user.bunker(["run", "flat", "stat", "-c", "%u %a", "/srv/dir/secret"]);
        const inspected = await user.bunker(["inspect", "-f", "{{json .Config.Env}}", "new"]);

        expect(diff).toMatchObject({ exitCode: 0, stderr: "" });
        expect(diff.stdout.split("\n")).toEqual(
          expect.arrayContaining(["D /srv/roots", "A /srv/dir/secret", "C /srv/owned", "A /home/user/new"]),
        );
        expect(exported).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
        const secret = listTar(readFileSync(file)).find(({ path }) => path === "srv/dir/secret");
        expect(secret).toMatchObject({ uid: owner, mode: 0o600, data: "mine\n" });
        expect(commit).toMatchObject({ exitCode: 0, stderr: "" });
        expect(
          asked.exitCode === 0 || asked.stderr.includes("no control group that can be frozen"),
        ).toBeTrue();
        expect(run).toMatchObject({ exitCode: 0, stdout: "mine\nnew\n" });
        expect(imported).toMatchObject({ exitCode: 0, stderr: "" });
        expect(flat.stdout).toBe(`${owner} 600\n`);
        expect(inspected.stdout).toContain("SECRET=hidden");
        expect(await user.bunker(["system", "check"])).toMatchObject({ exitCode: 0 });
      },
      TEST_MS_MAX,
    );
  }

  testIf(
    [...ROOTLESS_NEEDS, "program unshare"],
    "read a layer that lies in memory",
    async () => {
      const user = place().ranged;
      const { reference } = place();
      await user.bunker(["pull", "-q", reference]);
      const scratch = user.directory("scratch");
      const script = [
        `chown ${user.uid}:${user.uid} ${user.root}`,
        `bunker() { ${user.prefix.join(" ")} "$@"; }`,
        `mkfifo ${scratch}/in; exec 3<>${scratch}/in; : > ${scratch}/out`,
        `bunker run -q -i --name=box ${reference} sh -c "${CHANGES.join("; ")}; echo ready; read end" ` +
          `< ${scratch}/in > ${scratch}/out &`,
        `until grep -q ready ${scratch}/out; do sleep 0.05; done`,
        "bunker diff box | grep -E 'roots|secret|owned|new'",
        "bunker export box | tar -tvf - --numeric-owner home/user/new srv/dir/secret | wc -l",
        "bunker commit -c 'CMD cat /srv/dir/secret /home/user/new' box memory > /dev/null",
        "echo end >&3; wait; bunker run memory",
      ].join("\n");

      const { stdout, stderr } = await runPiped([...onOverlay(user.root, scratch, 1), "sh", "-c", script]);

      expect({ stdout, stderr }).toEqual({
        stdout: "A /home/user/new\nA /srv/dir/secret\nC /srv/owned\nD /srv/roots\n2\nmine\nnew\n",
        stderr: "",
      });
    },
    TEST_MS_MAX,
  );

  testIf(ROOTLESS_NEEDS, "refuse a hostile archive, whose entry is named", async () => {
    const user = place().ranged;
    const file = `${user.directory("hostile")}/hostile.tar`;
    await Bun.$`tar -P --transform=s#^#../# -cf ${file} /etc/hostname`.quiet();

    const { exitCode, stderr } = await user.bunker(["import", file, "bad"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain("because: Cannot unpack entry");
    expect(stderr.match(/^bunker: /gm)).toHaveLength(1);
  });
});
