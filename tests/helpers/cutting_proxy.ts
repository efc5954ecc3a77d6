/** Stands before a server on loopback and cuts connections after so many bytes of the client, as a bad line does. */
import { connect, createServer, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** How many connections were cut. */
  readonly cuts: () => number;
}

/**
 * Starts a proxy.
 * @param afterBytes from the client since the last cut, by whatever connections: clients do not use one for all requests
 * @param times how often it cuts; what comes later passes
 */
export async function startCuttingProxy(
  target: string,
  { afterBytes, times }: { readonly afterBytes: number; readonly times: number },
): Promise<CuttingProxy> {
  const port = Number(target.split(":")[1]);
  const sockets = new Set<Socket>();
  let [cuts, seen] = [0, 0];
  const server = createServer((client) => {
    const upstream = connect({ host: "127.0.0.1", port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => socket.destroy());
    }
    client.on("data", (chunk) => {
      seen += chunk.length;
      if (seen <= afterBytes || cuts >= times) return upstream.write(chunk);
      cuts += 1;
      seen = 0;
      upstream.destroy();
      return client.destroy();
    });
    upstream.on("data", (chunk) => client.write(chunk));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string")
    throw new Error("Cannot happen: the proxy has no port");
  return {
    host: `127.0.0.1:${address.port}`,
    cuts: () => cuts,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}
