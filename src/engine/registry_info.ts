/** The part of `info` about registries: what the configuration, the directories of certificates and the environment say. */
import { proxyFor } from "../registry/proxy.ts";
import type { HostCertificates } from "../registry/trust.ts";
import { readHosts, systemAuthorities } from "./certificates.ts";
import { readConfiguration } from "./configuration.ts";
import type { EngineContext } from "./context.ts";
import type { InfoEntry, InfoSection } from "./summary.ts";

/** Says what holds for registries. @throws {UsageError} when the configuration cannot be used */
export async function registrySection(context: EngineContext): Promise<InfoSection> {
  const registries = Object.entries(readConfiguration(context).registries);
  const hosts = Object.entries(await readHosts());
  const failures = hosts.flatMap(([, { failure }]) => failure ?? []);
  return {
    title: "Registries",
    entries: [
      ...listed(
        "mirrors",
        registries.flatMap(([name, { mirrors }]) => mirrors.map((mirror) => `${name}: ${mirror}`)),
      ),
      ...listed(
        "plain HTTP",
        namesWhere(registries, ({ tls }) => tls === false),
      ),
      ...listed(
        "not verified",
        namesWhere(registries, ({ verify }) => verify === false),
      ),
      ...listed("certificates for", hosts.map(describeHost).sort(), failures.join("; ") || undefined),
      { name: "authorities of the system", value: (await systemAuthorities()).length },
      proxy("https"),
      proxy("http"),
    ],
  };
}

const namesWhere = <Entry>(
  entries: ReadonlyArray<readonly [string, Entry]>,
  holds: (entry: Entry) => boolean,
): string[] => entries.filter(([, entry]) => holds(entry)).map(([name]) => name);

/** Left out when there is nothing. */
function listed(name: string, value: readonly string[], reason?: string): InfoEntry[] {
  return value.length === 0 ? [] : [{ name, value, reason }];
}

const describeHost = ([host, { client }]: readonly [string, HostCertificates]): string =>
  client === undefined ? host : `${host} (with client certificate)`;

/** For a host that is no exception, and without user and password. */
function proxy(scheme: "http" | "https"): InfoEntry {
  const name = `${scheme} proxy`;
  const exceptions = process.env["NO_PROXY"] || process.env["no_proxy"];
  try {
    // Nobody's name: it is only asked for in the variables.
    const found = proxyFor(new URL(`${scheme}://registry.invalid/`), {
      ...process.env,
      NO_PROXY: "",
      no_proxy: "",
    });
    if (found === undefined) return { name, value: "none" };
    const reason = exceptions === undefined ? undefined : `not for ${exceptions}`;
    return { name, value: `${found.protocol}//${found.host}`, reason };
  } catch (error) {
    return { name, value: "cannot be used", reason: (error as Error).message };
  }
}
