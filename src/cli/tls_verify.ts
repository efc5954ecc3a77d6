/** `--tls-verify`, an option of all commands that speak to a registry; podman's. */
import type { OptionSpec, ParsedOptions } from "./options.ts";

/** Named as podman's; only `--tls-verify=false` changes anything. */
export const TLS_VERIFY: OptionSpec = {
  name: "tls-verify",
  kind: "boolean",
  help: "Verify certificates; --tls-verify=false: neither that nor TLS is needed",
};

/** False when any certificate will do. */
export function tlsVerifyOf(parsed: ParsedOptions): boolean {
  return parsed.text("tls-verify") !== "false";
}
