/** Parses `--cap-add` and `--cap-drop`. Whether the kernel knows the capability is the engine's question. */

/**
 * Names as the kernel has them (`CAP_NET_ADMIN`), or `ALL`. Case and the prefix do not matter; several may be parted
 * by commas, as podman has it.
 * @throws {SyntaxError} for what cannot be a capability.
 */
export function parseCapabilities(text: string): readonly string[] {
  return text.split(",").map((word) => {
    const name = word.trim().toUpperCase().replace(/^CAP_/, "");
    if (!/^[A-Z][A-Z_]{1,30}$/.test(name)) {
      throw new SyntaxError(
        `Cannot use "${word}" as a capability: expected a name such as NET_ADMIN, or ALL`,
      );
    }
    return name === "ALL" ? "ALL" : `CAP_${name}`;
  });
}
