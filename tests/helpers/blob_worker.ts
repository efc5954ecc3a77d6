/** Fetches the blob of the request that it is sent and replies with its digest, or with the error. */
import { type BlobRequest, openBlob } from "../../src/registry/blob.ts";

declare const self: Worker;

self.onmessage = async ({ data }: MessageEvent<BlobRequest>) => {
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    for await (const chunk of await openBlob(data)) hasher.update(chunk);
    self.postMessage(`sha256:${hasher.digest("hex")}`);
  } catch (error) {
    self.postMessage(String(error));
  }
};
