/** Name of a container's session keyring: session-keyring(7). */
export const keyringName = (id: string): string => `_ses.${id}`;
