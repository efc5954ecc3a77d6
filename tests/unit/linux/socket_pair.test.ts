import { describe, expect, test } from "bun:test";
import { call } from "../../../src/linux/call.ts";
import { receiveMessage, socketpair } from "../../../src/linux/socket_pair.ts";

describe("receiveMessage()", () => {
  test("gives the letter", () => {
    const [own, other] = socketpair();
    call("write", other, new TextEncoder().encode("s"), 1);

    expect(receiveMessage(own)).toEqual({ letter: "s".charCodeAt(0), fd: undefined });
    for (const fd of [own, other]) call("close", fd);
  });

  test.each([
    ["", 0],
    [", which has not read all that it was sent", 1],
  ])("is undefined once the other end is closed%s", (_, unread) => {
    const [own, other] = socketpair();
    if (unread > 0) call("write", own, new Uint8Array(unread), unread);
    call("close", other);

    expect(receiveMessage(own)).toBeUndefined();
    call("close", own);
  });
});
