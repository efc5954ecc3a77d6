/** What `push`, `copy`, `login` and `logout` tell about themselves. */
import { type CommandSpec, HELP } from "./command_spec.ts";
import { TLS_VERIFY } from "./tls_verify.ts";

/** `bunker push [OPTIONS] NAME[:TAG]`. */
export const pushSpec: CommandSpec = {
  name: "push",
  description: "Upload an image to a registry",
  usage: "[OPTIONS] NAME[:TAG]",
  interspersed: true,
  operands: { min: 1, max: 1 },
  options: [
    { name: "all-tags", alias: "a", kind: "boolean", help: "Push every tag of the repository that is here" },
    HELP,
    {
      name: "platform",
      kind: "string",
      value: "string",
      help: "Push the image for one platform: os/arch[/variant]",
    },
    { name: "quiet", alias: "q", kind: "boolean", help: "Suppress the progress, print the reference only" },
    TLS_VERIFY,
  ],
  examples: [
    { line: "bunker push registry.example/tools/build:7", does: "Push one image" },
    { line: "bunker push -a localhost:5000/tools/build", does: "Push all tags of a repository" },
  ],
};

/** `bunker copy [OPTIONS] SOURCE DESTINATION`. */
export const copySpec: CommandSpec = {
  name: "copy",
  description: "Copy an image between registries, OCI layouts and archives",
  usage: "[OPTIONS] SOURCE DESTINATION",
  interspersed: true,
  operands: { min: 2, max: 2 },
  options: [
    { name: "all", alias: "a", kind: "boolean", help: "Copy the images of all platforms, with their index" },
    {
      name: "artifact-type",
      kind: "list",
      value: "list",
      help: "Like --referrers, for those of one type",
    },
    { name: "digest-file", same: "digestfile", kind: "string", hidden: true, help: "The same" },
    {
      name: "digestfile",
      kind: "string",
      value: "string",
      help: "Write the digest of what was copied to a file",
    },
    HELP,
    { name: "platform", kind: "string", value: "string", help: "Choose a platform: os/arch[/variant]" },
    { name: "quiet", alias: "q", kind: "boolean", help: "Suppress the progress, print the destination only" },
    {
      name: "referrers",
      kind: "boolean",
      help: "Copy what refers to the image too: signatures, cosign's as well, lists of its parts",
    },
    TLS_VERIFY,
  ],
  examples: [
    { line: "bunker copy alpine localhost:5000/alpine", does: "Copy the image for this machine's platform" },
    { line: "bunker copy --all alpine:3.22 registry.example/base/alpine:3.22", does: "Mirror an image" },
    {
      line: "bunker copy --all --referrers alpine oci:/srv/images:alpine",
      does: "Put it into an OCI layout",
    },
    { line: "bunker copy oci-archive:app.tar ghcr.io/me/app:1", does: "Upload an archive" },
  ],
};

/** `bunker login [OPTIONS] [SERVER]`. */
export const loginSpec: CommandSpec = {
  name: "login",
  description: "Log in to a registry",
  usage: "[OPTIONS] [SERVER]",
  interspersed: true,
  operands: { min: 0, max: 1 },
  options: [
    HELP,
    { name: "password", alias: "p", kind: "string", value: "string", help: "Password or token; insecure" },
    { name: "password-stdin", kind: "boolean", help: "Read the password or token from stdin" },
    TLS_VERIFY,
    { name: "username", alias: "u", kind: "string", value: "string", help: "User name" },
  ],
  examples: [
    { line: "bunker login -u me", does: "Log in to Docker Hub; the password is asked for" },
    { line: "bunker login -u me --password-stdin ghcr.io < token", does: "Log in from a script" },
    { line: "bunker login registry.example", does: "Try the credentials that are kept, or ask for some" },
  ],
};

/** `bunker logout [SERVER]`. */
export const logoutSpec: CommandSpec = {
  name: "logout",
  description: "Forget the credentials of a registry",
  usage: "[SERVER]",
  interspersed: true,
  operands: { min: 0, max: 1 },
  options: [HELP],
  examples: [
    { line: "bunker logout", does: "Log out of Docker Hub" },
    { line: "bunker logout ghcr.io", does: "Log out of another registry" },
  ],
};
