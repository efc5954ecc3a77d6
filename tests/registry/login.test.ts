/** `bunker login` and `logout`: what is tried, where it is kept, and what stays as it was. */
import { describe, expect } from "bun:test";
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { until } from "../callers/host.ts";
import { CredentialHelper } from "../helpers/credential_helper.ts";
import { type DockerRegistry, startDockerRegistry } from "../helpers/docker_registry.ts";
import { type FakeRegistry, serveRegistry } from "../helpers/fake_registry.ts";
import { buildImage } from "../helpers/image_builder.ts";
import { LoginPlace } from "../helpers/login_place.ts";
import { kernelTest, type Sandbox } from "../helpers/sandbox.ts";
import { Screen } from "../helpers/screen.ts";

const NEEDS = ["root", "the executable", "program docker-registry", "program skopeo"] as const;
const USER = { name: "alice", password: "open sesame" };
const AUTH = Buffer.from(`${USER.name}:${USER.password}`).toString("base64");
const OTHERS = { auths: { "other.example": { auth: "eDp5" } }, psFormat: "table", proxies: { default: {} } };
const image = buildImage({ layers: [{ entries: [{ name: "file", data: "x" }] }] });
const STDIN = ["-u", USER.name, "--password-stdin"];

describe.each(["htpasswd", "token"] as const)("bunker login to docker-registry (%s)", (auth) => {
  kernelTest("keeps what the registry takes, and pull uses it until logout", NEEDS, async (sandbox) => {
    await using registry = await startDockerRegistry({ auth, user: USER, private: ["app"] });
    await registry.push("app:1", image);
    const place = new LoginPlace(sandbox);
    place.write(place.dockerPath, OTHERS);
    const pull = () => place.bunker(["pull", "-q", `${registry.host}/app:1`]);

    const before = await pull();
    const login = await place.bunker(["login", ...STDIN, registry.host], { stdin: `${USER.password}\n` });
    const during = await pull();
    const kept = place.docker();
    const logout = await place.bunker(["logout", registry.host]);

    expect(login).toMatchObject({ exitCode: 0, stdout: "Login Succeeded\n" });
    expect(login.stderr).toStartWith(
      `WARNING! Your credentials are stored unencrypted in '${place.dockerPath}'.`,
    );
    expect([before.exitCode, during.exitCode]).toEqual([125, 0]);
    expect(kept).toEqual({ ...OTHERS, auths: { ...OTHERS.auths, [registry.host]: { auth: AUTH } } });
    expect(place.mode()).toBe(0o600);
    expect(logout).toMatchObject({
      exitCode: 0,
      stdout: `Removing login credentials for ${registry.host}\n`,
    });
    expect(place.docker()).toEqual(OTHERS);
    expect(readdirSync(`${place.home}/.docker`)).toEqual(["config.json"]);
  });

  kernelTest("keeps nothing that the registry refuses, and shows no password", NEEDS, async (sandbox) => {
    await using registry = await startDockerRegistry({ auth, user: USER });
    const place = new LoginPlace(sandbox);

    const { exitCode, stdout, stderr } = await place.bunker(["login", ...STDIN, registry.host], {
      stdin: "wr0ng",
    });

    expect({ exitCode, stdout }).toEqual({ exitCode: 125, stdout: "" });
    expect(stderr).toContain("the credentials are refused");
    expect(stderr).not.toContain("wr0ng");
    expect(place.docker()).toBeUndefined();
  });
});

describe("bunker login", () => {
  kernelTest(
    "keeps an identity token in the password's place, and pull exchanges it",
    NEEDS,
    async (sandbox) => {
      await using registry = tokenRegistry();
      const place = new LoginPlace(sandbox);

      const login = await place.bunker(["login", ...STDIN, registry.host], { stdin: USER.password });
      const pull = await place.bunker(["pull", "-q", `${registry.host}/app`]);

      expect([login.exitCode, pull.exitCode]).toEqual([0, 0]);
      expect(JSON.stringify(place.docker())).not.toContain(AUTH);
      expect(place.docker()).toMatchObject({ auths: { [registry.host]: { identitytoken: "idt-1" } } });
      expect(registry.requests.filter(({ body }) => body.includes("refresh_token=idt-1"))).toHaveLength(1);
    },
  );

  kernelTest("tries what is kept when nothing is given", NEEDS, async (sandbox) => {
    await using registry = basicRegistry();
    const place = new LoginPlace(sandbox);
    place.write(place.dockerPath, { auths: { [`https://${registry.host}/v2/`]: { auth: AUTH } } });

    const { exitCode, stdout, stderr } = await place.bunker(["login", registry.host]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "Login Succeeded\n" });
    expect(stderr).toContain("Authenticating with existing credentials... [Username: alice]");
    expect(place.docker()).toEqual({ auths: { [registry.host]: { auth: AUTH } } });
  });

  kernelTest("warns of a password among the arguments", NEEDS, async (sandbox) => {
    await using registry = basicRegistry();
    const place = new LoginPlace(sandbox);

    const result = await place.bunker(["login", "-u", USER.name, "-p", USER.password, registry.host]);

    expect(result).toMatchObject({ exitCode: 0, stdout: "Login Succeeded\n" });
    expect(result.stderr).toStartWith("WARNING! Using --password via the CLI is insecure.");
  });

  kernelTest("asks nobody where there is no terminal", NEEDS, async (sandbox) => {
    const place = new LoginPlace(sandbox);

    const { exitCode, stderr } = await place.bunker(["login", "-u", "me", "127.0.0.1:1"]);

    expect(exitCode).toBe(125);
    expect(stderr).toContain("cannot perform an interactive login from a non TTY device");
  });

  kernelTest("leaves a file alone that it cannot read", NEEDS, async (sandbox) => {
    await using registry = basicRegistry();
    const place = new LoginPlace(sandbox);
    place.write(place.dockerPath, '{"auths": {"secret": ');

    const { exitCode, stderr } = await place.bunker(["login", ...STDIN, registry.host], {
      stdin: USER.password,
    });

    expect(exitCode).toBe(125);
    expect(stderr).toContain(`Cannot use "${place.dockerPath}"`);
    expect(stderr).not.toContain("secret");
    expect(registry.requests).toHaveLength(0);
  });

  kernelTest("writes through a link", NEEDS, async (sandbox) => {
    await using registry = basicRegistry();
    const place = new LoginPlace(sandbox);
    place.write(`${place.home}/settings.json`, OTHERS);
    mkdirSync(`${place.home}/.docker`);
    symlinkSync("../settings.json", place.dockerPath);

    await place.bunker(["login", ...STDIN, registry.host], { stdin: USER.password });

    expect(lstatSync(place.dockerPath).isSymbolicLink()).toBe(true);
    expect(place.docker()).toMatchObject({ psFormat: "table", auths: { [registry.host]: { auth: AUTH } } });
  });

  kernelTest("loses none of several logins at once", NEEDS, async (sandbox) => {
    await using stack = new AsyncDisposableStack();
    const servers = Array.from({ length: 4 }, () => stack.use(basicRegistry()).host);
    const place = new LoginPlace(sandbox);

    const results = await Promise.all(
      servers.map((server) => place.bunker(["login", ...STDIN, server], { stdin: USER.password })),
    );

    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(Object.keys(place.docker()?.["auths"] ?? {}).sort()).toEqual(servers.sort());
  });
});

describe("a credential helper", () => {
  kernelTest("keeps what docker's file says it shall, in a clean environment", NEEDS, async (sandbox) => {
    await using registry = await startDockerRegistry({ auth: "htpasswd", user: USER });
    await registry.push("app:1", image);
    const { place, helper, env } = withHelper(sandbox, { credsStore: "test" });

    const login = await place.bunker(["login", ...STDIN, registry.host], { stdin: USER.password, env });
    const kept = helper.kept;
    const pull = await place.bunker(["pull", "-q", `${registry.host}/app:1`], { env });
    const logout = await place.bunker(["logout", registry.host], { env });

    expect(login).toMatchObject({ exitCode: 0, stdout: "Login Succeeded\n", stderr: "" });
    expect(kept).toEqual({ ServerURL: registry.host, Username: USER.name, Secret: USER.password });
    expect(pull.exitCode).toBe(0);
    expect(logout.stdout).toBe(`Removing login credentials for ${registry.host}\n`);
    expect(helper.kept).toBeUndefined();
    expect(helper.calls).toEqual(["store 0", "get 0", "get 0", "erase 0"]);
    expect(helper.environment).not.toMatch(/^(?:BUNKER_|LD_|SECRET)/m);
    expect(place.docker()).toEqual({ credsStore: "test", auths: {} });
  });

  kernelTest("of one registry goes before that of all", NEEDS, async (sandbox) => {
    await using registry = await protectedRegistry();
    const { place, helper, env } = withHelper(sandbox, {
      credsStore: "missing",
      credHelpers: { [registry.host]: "test" },
    });
    helper.keep(USER.name, USER.password);

    const { exitCode } = await place.bunker(["pull", "-q", `${registry.host}/app:1`], { env });

    expect(exitCode).toBe(0);
  });

  kernelTest(
    "that is missing hinders no pull of a public image, and explains a refusal",
    NEEDS,
    async (sandbox) => {
      await using open = serveRegistry({ images: { "app:latest": image } });
      await using closed = basicRegistry();
      const place = new LoginPlace(sandbox);
      place.write(place.dockerPath, { credsStore: "../evil" });

      const fine = await place.bunker(["pull", "-q", `${open.host}/app`]);
      const refused = await place.bunker(["pull", "-q", `${closed.host}/app`]);

      expect(fine).toMatchObject({ exitCode: 0, stderr: "" });
      expect(refused.exitCode).toBe(125);
      expect(refused.stderr).toContain('because: Cannot find the credential helper "../evil"');
    },
  );

  kernelTest(
    "that gives no sense, or too much of it, shows nothing of what it says",
    NEEDS,
    async (sandbox) => {
      await using registry = basicRegistry();
      const { place, env } = withHelper(sandbox, { credsStore: "test" });
      const texts = ['echo \'{"Secret": "hush\'', "yes hush"].map((line) => `#!/bin/sh\n${line}\n`);

      const results: string[] = [];
      for (const script of texts) {
        new CredentialHelper(`${sandbox.directory}/helpers`, script);
        results.push((await place.bunker(["pull", "-q", `${registry.host}/app`], { env })).stderr);
      }

      expect(results[0]).toContain(
        'Cannot get credentials with "docker-credential-test": its answer makes no sense',
      );
      expect(results[1]).toContain("it writes more than 65536 bytes");
      expect(results.join()).not.toContain("hush");
    },
  );
});

describe("podman's auth.json", () => {
  kernelTest("is read, for the path that its entry names", NEEDS, async (sandbox) => {
    await using registry = await startDockerRegistry({ auth: "htpasswd", user: USER });
    await registry.push("team/app:1", image);
    await registry.push("other/app:1", image);
    const place = new LoginPlace(sandbox);
    place.write(place.podmanPath, { auths: { [`${registry.host}/team`]: { auth: AUTH } } });
    const pull = (name: string) => place.bunker(["pull", "-q", `${registry.host}/${name}`]);

    const [mine, others] = [await pull("team/app:1"), await pull("other/app:1")];

    expect([mine.exitCode, others.exitCode]).toEqual([0, 125]);
  });

  kernelTest("stays as it is at a logout, which says so", NEEDS, async (sandbox) => {
    const place = new LoginPlace(sandbox);
    place.write(place.podmanPath, { auths: { "a.example": { auth: AUTH } } });

    const { exitCode, stdout, stderr } = await place.bunker(["logout", "https://a.example/v2/"]);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "Not logged in to a.example\n" });
    expect(stderr).toBe(
      `WARNING! ${place.podmanPath} has credentials for a.example, too: podman logout a.example\n`,
    );
  });
});

/** More than the sum of what a test with a screen waits for at most: else its terminal would outlive it. */
const TERMINAL_MS_MAX = 150_000;
/** What a pipe holds (pipe(7)). */
const PIPE_BYTES = 65_536;

describe("bunker login on a terminal", () => {
  kernelTest(
    "asks for user and password, and does not show the latter",
    [...NEEDS, "program tmux"],
    async (sandbox) => {
      await using registry = basicRegistry();
      const place = new LoginPlace(sandbox);
      await using screen = screenOf(sandbox, place);

      screen.type(`"$BUNKER" login ${registry.host}; echo "code $?"`);
      await screen.until(/Username:/);
      screen.type(USER.name);
      await screen.until(/Password:$/m);
      screen.type(USER.password);
      const text = await screen.until(/code \d/);

      expect(text).toContain("Login Succeeded\ncode 0");
      expect(text).not.toContain(USER.password);
      expect(place.docker()).toMatchObject({ auths: { [registry.host]: { auth: AUTH } } });
    },
    TERMINAL_MS_MAX,
  );

  kernelTest(
    "hides what is typed before it asks for it",
    [...NEEDS, "program tmux"],
    async (sandbox) => {
      await using registry = basicRegistry();
      const place = new LoginPlace(sandbox);
      const path = `${sandbox.directory}/stderr`;
      using pipe = fullPipe(path);
      await using screen = screenOf(sandbox, place);

      // The question waits for room in the pipe.
      screen.type(`tty; "$BUNKER" login -u me ${registry.host} 2>${path}; echo "code $?"`);
      const [tty = ""] = /^\/dev\/.+$/m.exec(await screen.until(/^\/dev\/.+$/m)) ?? [];
      const settings = (): string => Bun.spawnSync(["stty", "-F", tty, "-a"]).stdout.toString();
      await until("the terminal shows no keys", () => /-echo\b/.test(settings()));

      pipe.empty();
      screen.press("C-c");
      await screen.until(/code 130/);
    },
    TERMINAL_MS_MAX,
  );

  kernelTest(
    "leaves the terminal as it was after Ctrl-C",
    [...NEEDS, "program tmux"],
    async (sandbox) => {
      await using registry = basicRegistry();
      const place = new LoginPlace(sandbox);
      await using screen = screenOf(sandbox, place);

      screen.type(`"$BUNKER" login -u me ${registry.host}; echo "code $?"`);
      await screen.until(/Password:$/m);
      screen.press("C-c");
      await screen.until(/code 130/);
      screen.type("stty");

      expect(await screen.until(/speed/)).not.toMatch(/-echo\b|-icanon|-isig/);
    },
    TERMINAL_MS_MAX,
  );
});

/** A pipe that is full: whoever writes to it waits until it is emptied. */
function fullPipe(path: string): Disposable & { readonly empty: () => void } {
  Bun.spawnSync(["mkfifo", path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  writeSync(fd, Buffer.alloc(PIPE_BYTES));
  return {
    empty: () => void readSync(fd, Buffer.alloc(PIPE_BYTES)),
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function screenOf(sandbox: Sandbox, place: LoginPlace): Screen {
  const executable = new URL("../../dist/bunker", import.meta.url).pathname;
  const env = {
    HOME: place.home,
    BUNKER: executable,
    BUNKER_ROOT: sandbox.root,
    BUNKER_STATE: sandbox.state,
  };
  return new Screen(`${sandbox.directory}/tmux`, { env, columns: 100, rows: 20 });
}

function basicRegistry(): FakeRegistry {
  const auth = { type: "basic", users: { [USER.name]: USER.password } } as const;
  return serveRegistry({ images: { "app:latest": image }, auth });
}

function tokenRegistry(): FakeRegistry {
  const users = { [USER.name]: USER.password };
  const auth = { type: "token", users, identityTokens: ["idt-1"], private: ["app"] } as const;
  return serveRegistry({ images: { "app:latest": image }, auth });
}

async function protectedRegistry(): Promise<DockerRegistry> {
  const registry = await startDockerRegistry({ auth: "htpasswd", user: USER });
  await registry.push("app:1", image);
  return registry;
}

function withHelper(
  sandbox: Sandbox,
  config: object,
): { place: LoginPlace; helper: CredentialHelper; env: Readonly<Record<string, string>> } {
  const place = new LoginPlace(sandbox);
  place.write(place.dockerPath, config);
  const helper = new CredentialHelper(`${sandbox.directory}/helpers`);
  return { place, helper, env: { PATH: helper.searchPath, SECRET: "x", LD_LIBRARY_PATH: "/nowhere" } };
}
