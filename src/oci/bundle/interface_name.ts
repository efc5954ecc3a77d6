/** Names of network interfaces. */

import type { Judge } from "./schema.ts";

/** The kernel's IFNAMSIZ without the NUL. */
const INTERFACE_NAME_MAX = 15;

/** The kernel's dev_valid_name(); "%" is a template to it. */
export const interfaceName: Judge = (name) => {
  if (name === "" || Buffer.byteLength(name) > INTERFACE_NAME_MAX) {
    return `expected an interface's name of 1 to ${INTERFACE_NAME_MAX} bytes`;
  }
  if (name === "." || name === ".." || /[/:%\s]/.test(name)) {
    return "expected an interface's name without slash, colon, percent sign and white space";
  }
  return undefined;
};

/** The same, and `%d` at its end, for which the kernel puts a free number. */
export const newInterfaceName: Judge = (name) => {
  const stem = name.replace(/%d$/, "");
  return interfaceName(stem === name ? name : `${stem}00`);
};
