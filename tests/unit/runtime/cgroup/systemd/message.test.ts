/** Bytes of D-Bus, by the specification's examples and a daemon that checks every message. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Bus, BusError } from "../../../../../src/runtime/cgroup/systemd/bus.ts";
import {
  decodeMessage,
  encodeMessage,
  METHOD_CALL,
  messageSize,
  PREFIX_SIZE,
} from "../../../../../src/runtime/cgroup/systemd/message.ts";
import { Reader, splitTypes, type Value, Writer } from "../../../../../src/runtime/cgroup/systemd/wire.ts";
import { testIf } from "../../../../helpers/requires.ts";

function encode(type: string, value: Value): Uint8Array {
  const writer = new Writer();
  writer.write(type, value);
  return writer.bytes;
}

/** What StartTransientUnit is given, with every type that a property may have. */
const SIGNATURE = "ssa(sv)a(sa(sv))";
const BODY: readonly Value[] = [
  "box.scope",
  "replace",
  [
    ["Description", { type: "s", value: "köter" }],
    ["PIDs", { type: "au", value: [1, 4_294_967_295] }],
    ["Delegate", { type: "b", value: true }],
    ["MemoryMax", { type: "t", value: 18_446_744_073_709_551_615n }],
    ["Offset", { type: "x", value: -5n }],
    ["AllowedCPUs", { type: "ay", value: Uint8Array.of(3, 128) }],
    ["Wants", { type: "as", value: ["a.slice", ""] }],
    ["Small", { type: "y", value: 7 }],
    ["Number", { type: "i", value: -2 }],
    ["Real", { type: "d", value: 0.5 }],
    ["Empty", { type: "a(sv)", value: [] }],
  ],
  [["aux.service", [["X", { type: "b", value: false }]]]],
];

describe("splitTypes()", () => {
  test("parts a signature into complete types", () => {
    expect(splitTypes(SIGNATURE)).toEqual(["s", "s", "a(sv)", "a(sa(sv))"]);
    expect(splitTypes("a{sv}aayu")).toEqual(["a{sv}", "aay", "u"]);
  });

  test.each(["a", "(s", "z", "(sa)", "{"])("refuses %p", (signature) => {
    expect(() => splitTypes(signature)).toThrow(SyntaxError);
  });
});

describe("Writer", () => {
  test.each<[type: string, value: Value, hex: string]>([
    ["u", 258, "02010000"],
    ["b", true, "01000000"],
    ["s", "foo", "03000000666f6f00"],
    ["g", "as", "02617300"],
    ["v", { type: "u", value: 1 }, "0175000001000000"],
    ["ay", Uint8Array.of(1, 2), "020000000102"],
    // The specification's example: the padding before the first item is not counted.
    ["at", [5n], "08000000000000000500000000000000"],
    ["at", [], "0000000000000000"],
  ])("writes %p %p", (type, value, hex) => {
    expect(encode(type, value).toHex()).toBe(hex);
  });

  test("refuses a text with a NUL", () => {
    expect(() => encode("s", "a\0b")).toThrow(TypeError);
  });
});

describe("Reader", () => {
  test("reads what the writer has written", () => {
    for (const [index, type] of splitTypes(SIGNATURE).entries()) {
      const value = BODY[index] as Value;

      expect(new Reader(encode(type, value)).read(type)).toEqual(value as never);
    }
  });

  test("refuses bytes that are cut short", () => {
    const bytes = encode("a(sv)", BODY[2] as Value);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => new Reader(bytes.slice(0, length)).read("a(sv)")).toThrow(RangeError);
    }
  });

  test("refuses nesting without an end", () => {
    const bytes = new Uint8Array(400);
    for (let at = 0; at < 399; at += 3) bytes.set([1, 0x76, 0], at);

    expect(() => new Reader(bytes).read("v")).toThrow("nested too deeply");
  });
});

describe("decodeMessage()", () => {
  test("reads a message of which the length is known by its first bytes", () => {
    const message = {
      type: METHOD_CALL,
      serial: 9,
      path: "/a/b",
      interface: "c.d",
      member: "E",
      destination: "f.g",
      signature: SIGNATURE,
      body: BODY,
    };

    const bytes = encodeMessage(message);

    expect(messageSize(bytes.slice(0, PREFIX_SIZE))).toBe(bytes.length);
    expect(decodeMessage(bytes)).toEqual(message as never);
  });
});

/** A daemon of its own, with a socket in a temporary directory. */
async function withDaemon(body: (socket: string) => void): Promise<void> {
  const directory = mkdtempSync(`${tmpdir()}/bunker-bus-`);
  const socket = `${directory}/bus`;
  writeFileSync(
    `${directory}/bus.conf`,
    `<busconfig><type>custom</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth><policy context="default">
       <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`,
  );
  const command = [
    "dbus-daemon",
    `--config-file=${directory}/bus.conf`,
    "--nofork",
    "--nopidfile",
    "--print-address",
  ];
  const daemon = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  try {
    await daemon.stdout.getReader().read();
    body(socket);
  } finally {
    daemon.kill();
    await daemon.exited;
    rmSync(directory, { recursive: true });
  }
}

describe("Bus", () => {
  const needs = ["program dbus-daemon"] as const;

  testIf(needs, "sends messages that a daemon finds well-formed, and reads them back", async () => {
    await withDaemon((socket) => {
      using bus = Bus.connect(socket);
      const name = bus.register();
      using other = Bus.connect(socket);
      other.register();

      const call = {
        path: "/org/x",
        interface: "org.x.Y",
        member: "Start",
        signature: SIGNATURE,
        body: BODY,
      };
      other.send({ destination: name, ...call });
      let message = bus.receive();
      while (message.member !== "Start") message = bus.receive();

      expect(name).toMatch(/^:1\.[0-9]+$/);
      expect(message).toMatchObject({ path: "/org/x", signature: SIGNATURE, body: [...BODY] as never });
    });
  });

  testIf(needs, "gets signals that it has asked for, also those that come before an answer", async () => {
    await withDaemon((socket) => {
      using bus = Bus.connect(socket);
      bus.register();
      bus.addMatch("type='signal',member='NameOwnerChanged'");
      using other = Bus.connect(socket);
      const name = other.register();

      bus.addMatch("type='signal',member='Nothing'");
      const signal = bus.awaitSignal(({ body }) => body[0] === name);

      expect(signal.body).toEqual([name, "", name]);
    });
  });

  testIf(needs, "throws what the other side refuses, by its name", async () => {
    await withDaemon((socket) => {
      using bus = Bus.connect(socket);
      bus.register();
      const method = {
        path: "/",
        interface: "a.b",
        member: "C",
        signature: "",
        body: [],
        destination: "no.such",
      };

      expect(() => bus.call(method)).toThrow(BusError);
      expect(() => bus.call(method)).toThrow("Cannot use systemd: ");
    });
  });
});
