/** What `bunker info` says about registries: how they are reached, and no secret. */
import { describe, expect } from "bun:test";
import { Authorities } from "../helpers/authority.ts";
import { LoginPlace } from "../helpers/login_place.ts";
import { kernelTest } from "../helpers/sandbox.ts";

const NEEDS = ["root", "the executable", "program openssl"] as const;

describe("bunker info about registries", () => {
  kernelTest("names mirrors, exceptions from TLS, certificates and proxies", NEEDS, async (sandbox) => {
    using authorities = new Authorities();
    const authority = authorities.create("authority");
    const place = new LoginPlace(sandbox);
    const certs = `${place.home}/.config/containers/certs.d`;
    place.write(`${certs}/a.example/ca.crt`, authority.cert);
    place.write(`${certs}/b.example:5000/client.cert`, authority.cert);
    place.write(`${certs}/b.example:5000/client.key`, authority.key);
    place.write(`${certs}/c.example/client.key`, authority.key);
    place.write(`${place.home}/.config/bunker/config.json`, {
      registries: {
        "docker.io": { mirrors: ["https://mirror.example"] },
        "plain.example": { tls: false },
        "old.example": { verify: false },
      },
    });
    const env = {
      HTTPS_PROXY: "http://me:secret@proxy.example:3128",
      no_proxy: ".lan",
      HTTP_PROXY: "socks5://x",
    };

    const { exitCode, stdout, stderr } = await place.bunker(["info", "--format", "json"], { env });

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { Registries } = JSON.parse(stdout) as { Registries: Record<string, unknown> };
    expect(Registries).toMatchObject({
      mirrors: ["docker.io: https://mirror.example"],
      "plain HTTP": ["plain.example"],
      "not verified": ["old.example"],
      "certificates for": {
        value: ["a.example", "b.example:5000 (with client certificate)", "c.example"],
        reason: expect.stringContaining('client.key" is there without "client.cert"'),
      },
      "authorities of the system": expect.any(Number),
      "https proxy": { value: "http://proxy.example:3128", reason: "not for .lan" },
      "http proxy": { value: "cannot be used", reason: expect.stringContaining("no http or https URL") },
    });
    expect(stdout).not.toContain("secret");
  });
});
