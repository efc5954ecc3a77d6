/** The version of the runtime specification that is spoken here: what state, features and new bundles announce. */

/** Newest version whose sections are known; every 1.x is accepted. */
export const RUNTIME_SPEC_VERSION = "1.3.0";
