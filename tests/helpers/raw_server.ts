/** A server that says what a test has it say, byte by byte, where Bun's own would not let it. */
import { createServer, type Socket } from "node:net";

export interface RawServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Heads of the requests, oldest first. */
  readonly requests: readonly string[];
}

/** Replies to one request: `path`, the whole head, and how many requests of this path came before. */
export type RawReply = (socket: Socket, request: RawRequest) => void;

export interface RawRequest {
  readonly path: string;
  readonly head: string;
  readonly before: number;
}

/** Starts a server; each connection takes one request after the other. */
export async function startRawServer(reply: RawReply): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const path = head.split(" ", 2)[1] ?? "";
        const before = counts.get(path) ?? 0;
        counts.set(path, before + 1);
        requests.push(head);
        reply(socket, { path, head, before });
      }
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot happen: no port");
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
