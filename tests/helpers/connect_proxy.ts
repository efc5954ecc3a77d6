/** An HTTP proxy on loopback: CONNECT for TLS, whole URLs for plain HTTP. Every name leads to loopback, so none is asked for. */
import { connect, createServer, type Socket } from "node:net";

export interface ConnectProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** First lines of the requests, oldest first. */
  readonly requests: readonly string[];
  /** Values of Proxy-Authorization, in the order of the requests. */
  readonly authorizations: readonly (string | undefined)[];
}

/** What a proxy does instead of its work. */
export interface ConnectProxyOptions {
  /** `user:password` that it wants [none]. */
  readonly user?: string;
  /** The status that it refuses everything with. */
  readonly refuse?: number;
}

/** Starts a proxy. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const own = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on("error", () => socket.destroy());
  };
  const server = createServer((client) => {
    own(client);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      client.off("data", onData);
      const lines = head.subarray(0, end).toString().split("\r\n");
      const authorization = lines
        .find((line) => /^proxy-authorization:/i.test(line))
        ?.replace(/^[^:]*: */, "");
      requests.push(lines[0] ?? "");
      authorizations.push(authorization);
      const refusal = refusalOf(authorization, options);
      if (refusal !== undefined) return void client.end(refusal);
      forward(client, own, { head, end, first: lines[0] ?? "" });
    };
    client.on("data", onData);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot happen: no port");
  return {
    host: `127.0.0.1:${address.port}`,
    requests,
    authorizations,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      await closed.promise;
    },
  };
}

function refusalOf(
  authorization: string | undefined,
  { user, refuse }: ConnectProxyOptions,
): string | undefined {
  const none = "Content-Length: 0\r\nConnection: close\r\n\r\n";
  if (refuse !== undefined) return `HTTP/1.1 ${refuse} No\r\n${none}`;
  if (user === undefined || authorization === `Basic ${btoa(user)}`) return undefined;
  return `HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n${none}`;
}

interface Opened {
  readonly head: Buffer;
  /** Where the empty line begins. */
  readonly end: number;
  readonly first: string;
}

function forward(client: Socket, own: (socket: Socket) => Socket, { head, end, first }: Opened): void {
  const [method, target = ""] = first.split(" ");
  const port = method === "CONNECT" ? Number(target.split(":").at(-1)) : Number(new URL(target).port || 80);
  const upstream = own(connect({ host: "127.0.0.1", port }));
  upstream.once("connect", () => {
    if (method === "CONNECT") {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head.subarray(end + 4));
    } else upstream.write(head);
    // Not pipe(), which opens the standard streams of this process for good.
    client.on("data", (chunk) => upstream.write(chunk));
    upstream.on("data", (chunk) => client.write(chunk));
  });
  upstream.on("close", () => client.destroy());
  client.on("close", () => upstream.destroy());
}
