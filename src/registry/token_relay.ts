/**
 * One token for all threads. Whoever fetches blobs in a Worker has the token that was good when the request was made; when it
 * is refused, he asks the client that made the request, by name, so that many Workers cause one request for a token and
 * not one each. Without an answer he asks the token server himself.
 *
 *     Worker: 401 ── question, by BroadcastChannel ──▶ thread of the client: renews, once for all
 *             goes on ◀────────────────────── answer ──┘
 */
import type { KnownChallenge } from "./challenge.ts";

/** What was refused, and where. */
export interface TokenQuestion {
  /** The client that the request came from. */
  readonly owner: string;
  /** Base URL of the endpoint. */
  readonly endpoint: string;
  readonly challenge: KnownChallenge;
  readonly scope: string;
  readonly refused: string | undefined;
}

/** Somebody who keeps tokens. */
export interface TokenOwner {
  /** The Authorization to go on with; undefined when there is none. */
  renew(question: TokenQuestion): Promise<string | undefined>;
}

type Message =
  | { readonly kind: "question"; readonly id: string; readonly question: TokenQuestion }
  | { readonly kind: "answer"; readonly id: string; readonly header: string | undefined };

const CHANNEL = "bunker-tokens";

/** Owners in this thread; a client that nobody uses any more is not kept alive. */
const owners = new Map<string, WeakRef<TokenOwner>>();
const waiting = new Map<string, (header: string | undefined) => void>();
let channel: BroadcastChannel | undefined;

/** Makes an owner known to all threads. @returns its name */
export function registerOwner(owner: TokenOwner): string {
  const name = crypto.randomUUID();
  owners.set(name, new WeakRef(owner));
  openChannel();
  return name;
}

/**
 * Asks the owner of a token.
 * @param timeoutMs how long a thread may be busy with other work
 * @returns undefined when there is no answer, or none that helps
 */
export async function askOwner(question: TokenQuestion, timeoutMs: number): Promise<string | undefined> {
  const here = owners.get(question.owner)?.deref();
  if (here !== undefined) return here.renew(question);
  const id = crypto.randomUUID();
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  waiting.set(id, resolve);
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  send({ kind: "question", id, question });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    waiting.delete(id);
  }
}

function send(message: Message): void {
  openChannel().postMessage(message);
}

function openChannel(): BroadcastChannel {
  if (channel !== undefined) return channel;
  const opened = new BroadcastChannel(CHANNEL);
  // It must not keep a process alive that has nothing else to do. The browsers' type, which a program that uses the library
  // may have, does not know it.
  if ("unref" in opened && typeof opened.unref === "function") opened.unref();
  opened.onmessage = (event) => {
    const data = event.data as Message;
    if (data.kind === "answer") waiting.get(data.id)?.(data.header);
    else void answer(data.id, data.question);
  };
  channel = opened;
  return opened;
}

async function answer(id: string, question: TokenQuestion): Promise<void> {
  const owner = owners.get(question.owner)?.deref();
  if (owner === undefined) return;
  try {
    send({ kind: "answer", id, header: await owner.renew(question) });
  } catch {
    // The one who asks gets the same error from the token server, in full.
    send({ kind: "answer", id, header: undefined });
  }
}
