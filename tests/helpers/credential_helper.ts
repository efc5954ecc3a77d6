/** A `docker-credential-test` that keeps one answer for each registry in a directory, and notes how it was called. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const SCRIPT = `#!/bin/sh
verb=$1
input=$(cat)
echo "$verb $(id -u)" >> "$0.calls"
env > "$0.environment"
case $verb in
get)
  test -f "$0.kept" || { echo "credentials not found in native keychain"; exit 1; }
  cat "$0.kept" ;;
store) printf %s "$input" > "$0.kept" ;;
erase) rm "$0.kept" ;;
esac
`;

/** The helper called `test`, in a directory that has to stand in PATH. */
export class CredentialHelper {
  readonly directory: string;
  readonly #path: string;

  /** @param script instead of the one that works */
  constructor(directory: string, script: string = SCRIPT) {
    this.directory = directory;
    this.#path = `${directory}/docker-credential-test`;
    // Everybody may note down calls: the helper may be an ordinary user's.
    mkdirSync(directory, { recursive: true });
    writeFileSync(this.#path, script, { mode: 0o755 });
  }

  /** For the environment of a command. */
  get searchPath(): string {
    return `${this.directory}:${process.env["PATH"] ?? "/usr/bin:/bin"}`;
  }

  /** What it was given to keep; undefined when it has nothing. */
  get kept(): unknown {
    return existsSync(`${this.#path}.kept`)
      ? JSON.parse(readFileSync(`${this.#path}.kept`, "utf8"))
      : undefined;
  }

  /** Makes it have something. */
  keep(username: string, secret: string): void {
    writeFileSync(`${this.#path}.kept`, JSON.stringify({ Username: username, Secret: secret }), {
      mode: 0o644,
    });
  }

  /** `VERB UID` of each call. */
  get calls(): readonly string[] {
    return readFileSync(`${this.#path}.calls`, "utf8").trimEnd().split("\n");
  }

  /** The environment of the last call. */
  get environment(): string {
    return readFileSync(`${this.#path}.environment`, "utf8");
  }
}
