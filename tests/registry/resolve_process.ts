/** Resolves `HOST/app` at URL, both arguments, and prints `resolved` or the error: for tests of the environment. */
import { parseReference } from "../../src/oci/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { impatientClient } from "../helpers/registry_fixture.ts";

const [host = "", url = ""] = process.argv.slice(2);
const registries = { [host]: { mirrors: [], tls: url.startsWith("https:") } };

try {
  await impatientClient({ registries }).resolve(parseReference(`${host}/app`));
  console.log("resolved");
} catch (error) {
  const { code, message } = error as RegistryError;
  console.log(
    error instanceof RegistryError ? `${code}: ${message.replace(/^Cannot speak .*?: /, "")}` : String(error),
  );
}
