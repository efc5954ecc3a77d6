/** A home directory of its own for tests of login: docker's and podman's files in it, and bunker run with it. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { BunkerOptions } from "./bunker.ts";
import type { PipedResult } from "./pipes.ts";
import type { Sandbox } from "./sandbox.ts";

/** A home below a sandbox. */
export class LoginPlace {
  readonly #sandbox: Sandbox;
  readonly home: string;
  readonly dockerPath: string;
  readonly podmanPath: string;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    this.home = `${sandbox.directory}/home`;
    this.dockerPath = `${this.home}/.docker/config.json`;
    this.podmanPath = `${this.home}/.config/containers/auth.json`;
    mkdirSync(this.home);
  }

  /** Runs `bunker ARGS…` with this home and `env`. */
  bunker(args: readonly string[], options: Partial<BunkerOptions> = {}): Promise<PipedResult> {
    const env = { HOME: this.home, XDG_RUNTIME_DIR: `${this.home}/run`, ...options.env };
    return this.#sandbox.bunker(args, { ...options, env });
  }

  /** Writes one of the two files. */
  write(path: string, value: unknown): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value), { mode: 0o644 });
  }

  /** Docker's file; undefined when there is none. */
  docker(): Readonly<Record<string, unknown>> | undefined {
    return existsSync(this.dockerPath) ? JSON.parse(readFileSync(this.dockerPath, "utf8")) : undefined;
  }

  /** Mode of docker's file. */
  mode(): number {
    return statSync(this.dockerPath).mode & 0o777;
  }
}
