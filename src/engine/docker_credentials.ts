/**
 * Credentials that `docker login` has written: `auths` of `config.json` in DOCKER_CONFIG or `~/.docker`. Read only;
 * credential helpers are not asked yet.
 */
import { readSmallText } from "../linux/small_file.ts";
import { type CredentialStore, parseDockerAuths } from "../registry/credentials.ts";

/** Largest file that is read, in characters. */
const FILE_SIZE_MAX = 1 << 20;

/** The credentials by registry; none where the file is missing, of another user, or not of that form. */
export function dockerCredentials(): CredentialStore {
  const directory = process.env["DOCKER_CONFIG"] ?? `${process.env["HOME"] ?? ""}/.docker`;
  try {
    const text = readSmallText(`${directory}/config.json`);
    return text === undefined || text.length > FILE_SIZE_MAX ? {} : parseDockerAuths(JSON.parse(text));
  } catch {
    // Another program's file: what is wrong with it is not for a pull of a public image to fail by.
    return {};
  }
}
