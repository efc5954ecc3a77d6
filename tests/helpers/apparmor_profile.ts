/** An AppArmor profile of a test's own, in the kernel for as long as the test wants: apparmor.d(5). */
import { randomUUIDv7 } from "bun";

/** A loaded profile; disposing of it takes it out of the kernel. */
export class AppArmorProfile implements Disposable {
  readonly name = `bunker-test-${randomUUIDv7()}`;
  readonly #text: string;

  /** Allows everything, save what `rules` deny: `deny /etc/secret r,`. */
  constructor(rules: string) {
    // What a container has mounted is not all reachable from the root that the profile is about.
    this.#text = `profile ${this.name} flags=(attach_disconnected,mediate_deleted) {
      capability, file, mount, umount, pivot_root, network, signal, ptrace, unix,
      ${rules}
    }`;
    this.#parser("--replace");
  }

  [Symbol.dispose](): void {
    this.#parser("--remove");
  }

  #parser(action: string): void {
    const command = ["apparmor_parser", action, "--skip-cache", "--quiet"];
    const { exitCode, stderr } = Bun.spawnSync(command, { stdin: new TextEncoder().encode(this.#text) });
    if (exitCode !== 0) throw new Error(`Cannot ${action} a profile: ${stderr.toString()}`);
  }
}
