/** bunker as an ordinary user, with ranges of subordinate ids and with none: the compiled executable, from pull to clean-up. */
import { describe, expect } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { Authorities } from "../helpers/authority.ts";
import { CONFINED_NEEDS, onOverlay, refusing } from "../helpers/confined.ts";
import { CredentialHelper } from "../helpers/credential_helper.ts";
import { serveRegistry } from "../helpers/fake_registry.ts";
import { runPiped } from "../helpers/pipes.ts";
import { testIf } from "../helpers/requires.ts";
import { RANGE, ROOTLESS_NEEDS, sharedPlace, type User } from "../helpers/rootless_place.ts";

const place = sharedPlace();

describe("bunker pull as an ordinary user with id ranges", () => {
  testIf(ROOTLESS_NEEDS, "keeps the owners of files", async () => {
    const user = place().ranged;

    const { exitCode, stdout, stderr } = await user.bunker(["pull", "-q", place().reference]);

    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${place().reference}:latest\n`,
      stderr: "",
    });
    const owner = (path: string) => statSync(`${user.layer("srv/owned")}/srv/${path}`).uid;
    expect([owner("owned"), owner("roots")]).toEqual([RANGE.start + 999, user.uid]);
  });

  testIf(ROOTLESS_NEEDS, "says that an image is up to date", async () => {
    const user = place().ranged;
    await user.bunker(["pull", "-q", place().reference]);

    const { stderr } = await user.bunker(["pull", place().reference]);

    expect(stderr).toEndWith(`Status: Image is up to date for ${place().reference}:latest\n`);
  });

  testIf(ROOTLESS_NEEDS, "needs neither HOME nor an account, and says where it may not write", async () => {
    await using user = place().single();
    const pull = (...env: string[]) =>
      user.command([
        "/usr/bin/env",
        "-u",
        "HOME",
        ...env,
        place().executable,
        "pull",
        "-q",
        place().reference,
      ]);

    const placed = await pull(`BUNKER_ROOT=${user.home}/data`);
    const nowhere = await pull();

    expect(placed).toMatchObject({ exitCode: 0, stdout: `${place().reference}:latest\n` });
    expect(nowhere).toMatchObject({ exitCode: 125, stdout: "" });
    expect(nowhere.stderr).toContain('Cannot make data root "/.local/share/bunker": permission denied\n');
    expect(nowhere.stderr).toEndWith("hint: Use a directory of your own with --root, or BUNKER_ROOT\n");
  });

  testIf(
    [...ROOTLESS_NEEDS, "program openssl"],
    "shows a registry the client certificate that only the user may read",
    async () => {
      using authorities = new Authorities();
      const [authority, clients] = [authorities.create("authority"), authorities.create("clients")];
      const tls = { ...authorities.sign("server", authority), ca: clients.cert };
      await using registry = serveRegistry({ images: { "app:latest": place().image }, tls });
      const user = place().ranged;
      const client = authorities.sign("client", clients);
      const files = { "ca.crt": authority.cert, "client.cert": client.cert, "client.key": client.key };
      const name = `${registry.host}/app`;

      const strange = await user.bunker(["pull", "-q", name]);
      giveCertificates(user, registry.host, files);
      const { exitCode, stdout, stderr } = await user.bunker(["pull", "-v", name]);

      expect(strange.exitCode).toBe(125);
      expect(strange.stderr).toContain(`/etc/containers/certs.d/${registry.host}`);
      expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${name}:latest\n` });
      expect(stderr).toContain(`bunker: 99 of 100 pulls are left within 6 hours ("${registry.host}")\n`);
    },
  );

  testIf(ROOTLESS_NEEDS, "reports a failure once, with the second process's exit code", async () => {
    const { exitCode, stdout, stderr } = await place().ranged.bunker([
      "pull",
      "-q",
      `${place().host}/missing`,
    ]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr.match(/^bunker: /gm)).toHaveLength(1);
    expect(stderr).toContain("missing");
  });
});

describe("a pull of a private image as an ordinary user", () => {
  testIf(
    ROOTLESS_NEEDS,
    "asks a credential helper as that user, and shows the secret to no other process",
    async () => {
      await using user = place().single();
      const auth = { type: "basic", users: { me: "hush" } } as const;
      await using registry = serveRegistry({ images: { "app:latest": place().image }, auth });
      const helper = new CredentialHelper(user.directory("bin"));
      helper.keep("me", "hush");
      chownSync(helper.directory, user.uid, user.uid);
      const config = user.directory(".docker");
      writeFileSync(`${config}/config.json`, JSON.stringify({ credsStore: "test" }));

      const { exitCode, stderr } = await user.bunker(["pull", "-q", `${registry.host}/app`]);

      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(helper.calls).toEqual([`get ${user.uid}`]);
    },
  );
});

describe("bunker pull as an ordinary user with a single id", () => {
  testIf(ROOTLESS_NEEDS, "gives all files to that user and says so in one line", async () => {
    await using user = place().single();

    const { exitCode, stderr } = await user.bunker(["pull", place().reference]);

    expect(exitCode).toBe(0);
    const notes = stderr.split("\n").filter((line) => line.startsWith("bunker: "));
    expect(notes).toEqual([
      "bunker: 3 files of other users belong to you in this image: you have one id only, " +
        "see /etc/subuid, /etc/subgid and newuidmap(1)",
    ]);
    expect(statSync(`${user.layer("srv/owned")}/srv/owned`).uid).toBe(user.uid);
  });

  testIf(ROOTLESS_NEEDS, "says nothing of it when quiet", async () => {
    await using user = place().single();

    const { stderr } = await user.bunker(["pull", "-q", place().reference]);

    expect(stderr).toBe("");
  });
});

describe("bunker run as an ordinary user", () => {
  testIf(ROOTLESS_NEEDS, "pulls an image and runs a command in it, as root of its own", async () => {
    await using user = place().single();

    const { exitCode, stdout } = await user.bunker(["run", "-q", place().reference, "id", "-un"]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "root\n" });
  });

  testIf(ROOTLESS_NEEDS, "maps the ranges behind the own id", async () => {
    const { stdout } = await place().ranged.run([], "cat /proc/self/uid_map");

    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/ +/).map(Number));
    expect(lines).toEqual([
      [0, place().ranged.uid, 1],
      [1, RANGE.start, RANGE.size],
    ]);
  });

  testIf(ROOTLESS_NEEDS, "runs as a user of the image whose files are its own", async () => {
    const { stdout } = await place().ranged.run(
      ["-u", "user"],
      "id -u; cat /srv/secret; echo more >> /srv/secret",
    );

    expect(stdout).toBe("1000\nsecret\n");
  });

  testIf(ROOTLESS_NEEDS, "refuses another user where one id is all there is", async () => {
    await using user = place().single();

    const { exitCode, stderr } = await user.run(["-u", "1000"], "id -u");

    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^bunker: Cannot /);
  });

  testIf(ROOTLESS_NEEDS, "removes what users of the image have written", async () => {
    const user = place().ranged;

    const script = "mkdir -p /tmp/a/b && touch /tmp/a/b/c && chown -R 1000:1000 /tmp/a && chmod 0 /tmp/a/b";
    const { exitCode, stderr } = await user.run([], script);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(readdirSync(`${user.root}/c`)).toEqual([]);
  });

  testIf(ROOTLESS_NEEDS, "removes what a killed run has left, in the next run", async () => {
    const user = place().ranged;
    await user.bunker(["pull", "-q", place().reference]);
    const script =
      "mkdir /tmp/a && touch /tmp/a/b && chown -R 1000 /tmp/a && chmod 700 /tmp/a && echo ready && sleep 60";
    const child = Bun.spawn([...user.prefix, "run", place().reference, "sh", "-c", script], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const output = child.stdout.getReader();
    await output.read();
    child.kill("SIGKILL");
    await child.exited;
    // The end of the output is the end of the command.
    while (!(await output.read()).done);
    expect(readdirSync(`${user.root}/c`)).toHaveLength(1);

    const { exitCode } = await user.run([], "true");

    expect(exitCode).toBe(0);
    expect(readdirSync(`${user.root}/c`)).toEqual([]);
  });

  testIf(ROOTLESS_NEEDS, "cannot write what belongs to root", async () => {
    const { exitCode, stderr } = await place().ranged.run(["-v", "/etc:/mnt"], "touch /mnt/bunker-was-here");

    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("Permission denied");
    expect(existsSync("/etc/bunker-was-here")).toBeFalse();
  });

  testIf(ROOTLESS_NEEDS, "makes files in a volume that belong to the caller", async () => {
    const user = place().ranged;
    const directory = user.directory("volume");

    await user.run(["-v", `${directory}:/mnt`], "touch /mnt/made");

    expect(statSync(`${directory}/made`).uid).toBe(user.uid);
  });

  testIf(ROOTLESS_NEEDS, "refuses a limit that it cannot set", async () => {
    const { exitCode, stderr } = await place().ranged.run(["--memory", "64m"], "true");

    expect(exitCode).toBe(125);
    expect(stderr).toMatch(/^bunker: Cannot set the limits memory/);
  });

  testIf(ROOTLESS_NEEDS, "passes the exit code on", async () => {
    const { exitCode } = await place().ranged.run([], "exit 42");

    expect(exitCode).toBe(42);
  });
});

describe("bunker run as an ordinary user without overlayfs or mounts", () => {
  const sandboxes = [
    ["overlays too deep", (user: User) => onOverlay(user.root, place().scratch(), 2)],
    ["every mount refused", () => refusing({ pivot_root: 1, mount: 13, move_mount: 13 })],
  ] as const;
  for (const [what, prefixOf] of sandboxes) {
    testIf(
      [...ROOTLESS_NEEDS, ...CONFINED_NEEDS],
      `copies the layers with their owners: ${what}`,
      async () => {
        const user = place().ranged;
        await user.bunker(["pull", "-q", place().reference]);
        const script = "echo $$; stat -c %u /srv/owned /srv/roots; echo x > /dev/null; chown 1000 /srv/roots";

        const { exitCode, stdout, stderr } = await runPiped([
          ...prefixOf(user),
          ...user.prefix,
          ...["run", place().reference, "sh", "-c", script],
        ]);

        expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: "1\n1000\n0\n", stderr: "" });
        expect(readdirSync(`${user.root}/c`)).toEqual([]);
      },
    );
  }
});

describe("bunker info as an ordinary user", () => {
  testIf(ROOTLESS_NEEDS, "shows the ids that containers have, and leaves nothing behind", async () => {
    const user = place().ranged;
    const before = readdirSync(user.home);

    const { exitCode, stdout } = await user.bunker(["info", "--format", "json"]);

    expect(exitCode).toBe(0);
    const known = JSON.parse(stdout) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    expect(known["Isolation"]).toMatchObject({ grade: "full" });
    expect(known["Users"]).toEqual({
      mode: "rootless",
      "user ids": [`0:${user.uid}:1`, `1:${RANGE.start}:${RANGE.size}`],
      "group ids": [`0:${user.uid}:1`, `1:${RANGE.start}:${RANGE.size}`],
    });
    expect(readdirSync(user.home)).toEqual(before);
  });
});

/** Puts certificates where podman's users have them; the key is nobody else's. */
function giveCertificates(user: User, host: string, files: Readonly<Record<string, string>>): void {
  const directory = `${user.home}/.config/containers/certs.d/${host}`;
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(`${directory}/${name}`, text);
    chownSync(`${directory}/${name}`, user.uid, user.uid);
    chmodSync(`${directory}/${name}`, 0o600);
  }
}
