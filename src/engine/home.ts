/**
 * Directories of the user, by HOME and the variables of the XDG base directory specification: an empty variable is one that
 * is not set. A container's user often has neither HOME nor an account; that is no reason to fail where nothing is kept.
 */

/** HOME, or the account's; `/` where there is neither. Without a slash at the end. */
export function homeDirectory(): string {
  return (process.env["HOME"] || accountHome()).replace(/\/+$/, "");
}

/** What an XDG variable says, or a directory below the home. */
export function userDirectory(variable: "XDG_CONFIG_HOME" | "XDG_DATA_HOME", belowHome: string): string {
  return process.env[variable] || `${homeDirectory()}/${belowHome}`;
}

/** Not imported above, since every start would pay for it. */
function accountHome(): string {
  try {
    return process.getBuiltinModule("node:os").homedir();
  } catch {
    // No account has this number.
    return "/";
  }
}
