/** Certificates for tests: authorities of our own, and what they sign, made by openssl. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";

/** A certificate with its key, as text and as files. */
export interface Signed {
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
}

export const hasOpenssl = Bun.which("openssl") !== null;

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A directory with authorities and certificates; disposing of it removes all. */
export class Authorities implements Disposable {
  readonly directory = mkdtempSync(`${tmpdir()}/bunker-tls-`);

  /** Makes an authority. */
  create(name: string): Signed {
    const signed = this.#paths(name);
    openssl(["req", "-x509", ...KEY, "-days", "2", "-subj", `/CN=${name}`, ...outputs(signed)]);
    return read(signed);
  }

  /**
   * Has an authority sign a certificate.
   * @param names as openssl has them: `DNS:localhost`, `IP:127.0.0.1`
   * @param days [2]; 0 for one that is over
   */
  sign(
    name: string,
    authority: Signed,
    {
      names = ["DNS:localhost", "IP:127.0.0.1"],
      isOver = false,
    }: { names?: string[]; isOver?: boolean } = {},
  ): Signed {
    const signed = this.#paths(name);
    const request = `${this.directory}/${name}.request`;
    const extensions = `${this.directory}/${name}.extensions`;
    writeFileSync(extensions, `subjectAltName=${names.join(",")}`);
    openssl(["req", ...KEY, "-subj", `/CN=${name}`, "-keyout", signed.keyPath, "-out", request]);
    openssl([
      ...["x509", "-req", "-in", request, "-extfile", extensions, "-out", signed.certPath],
      ...["-CA", authority.certPath, "-CAkey", authority.keyPath, "-CAcreateserial"],
      ...(isOver ? ["-days", "-1"] : ["-days", "2"]),
    ]);
    return read(signed);
  }

  /** Writes files into `certs.d/HOST` and returns the path of `certs.d`. */
  certsDirectory(host: string, files: Readonly<Record<string, string>>): string {
    const place = `${this.directory}/certs.d`;
    mkdirSync(`${place}/${host}`, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(`${place}/${host}/${name}`, text);
    return place;
  }

  #paths(name: string): { certPath: string; keyPath: string } {
    return { certPath: `${this.directory}/${name}.crt`, keyPath: `${this.directory}/${name}.key` };
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const outputs = ({ certPath, keyPath }: { certPath: string; keyPath: string }): string[] => [
  ...["-keyout", keyPath],
  ...["-out", certPath],
];

function read(paths: { certPath: string; keyPath: string }): Signed {
  return {
    ...paths,
    cert: readFileSync(paths.certPath, "utf8"),
    key: readFileSync(paths.keyPath, "utf8"),
  };
}

function openssl(words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words], { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`openssl ${words[0]} failed: ${stderr}`);
}
