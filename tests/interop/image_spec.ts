/**
 * The rules of the image specification (1.1) for documents, as its text has them: what of an OCI layout breaks one, as lines.
 * Docker's media types are taken as they are: the specification lets an index name others.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { sha256Digest } from "../helpers/image_builder.ts";

type Json = unknown;
type Members = Readonly<Record<string, Json>>;

const OCI = "application/vnd.oci.image.";
const DOCKER = "application/vnd.docker.";
const INDEX_TYPES = [`${OCI}index.v1+json`, `${DOCKER}distribution.manifest.list.v2+json`];
const MANIFEST_TYPES = [`${OCI}manifest.v1+json`, `${DOCKER}distribution.manifest.v2+json`];
const CONFIG_TYPES = [`${OCI}config.v1+json`, `${DOCKER}container.image.v1+json`];
const LAYER_TYPE =
  /^application\/vnd\.(oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(\.gzip|\.zstd)?)$/;
/** descriptor.md: RFC 6838, section 4.2. */
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** annotations.md: the grammar of org.opencontainers.image.ref.name. */
const REF_NAME = /^[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*(\/[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*)*$/;
/** RFC 3339, section 5.6. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Checks a layout and everything in it. @returns the faults, none when there is none */
export function faultsOfLayout(directory: string): readonly string[] {
  const layout = new Layout(directory);
  layout.check();
  return layout.faults;
}

class Layout {
  readonly faults: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** image-layout.md */
  check(): void {
    const marker = this.#read("oci-layout");
    this.#need(marker?.["imageLayoutVersion"] === "1.0.0", "oci-layout: imageLayoutVersion is not 1.0.0");
    const blobs = `${this.#directory}/blobs/sha256`;
    for (const name of existsSync(blobs) ? readdirSync(blobs) : []) {
      const digest = sha256Digest(readFileSync(`${blobs}/${name}`));
      this.#need(digest === `sha256:${name}`, `blobs/sha256/${name}: its content is ${digest}`);
    }
    const index = this.#read("index.json");
    if (index !== undefined) this.#checkIndex(index, "index.json");
  }

  /** image-index.md */
  #checkIndex(index: Members, at: string): void {
    this.#need(index["schemaVersion"] === 2, `${at}: schemaVersion is not 2`);
    const { mediaType, manifests, annotations } = index;
    this.#need(
      mediaType === undefined || INDEX_TYPES.includes(String(mediaType)),
      `${at}: mediaType ${mediaType}`,
    );
    this.#checkAnnotations(annotations, at);
    if (!Array.isArray(manifests)) return void this.faults.push(`${at}: manifests is no array`);
    for (const [position, entry] of manifests.entries()) {
      const place = `${at}: manifests[${position}]`;
      const content = this.#checkDescriptor(entry, place);
      this.#checkPlatform((entry as Members)["platform"], place);
      const type = String((entry as Members)["mediaType"]);
      if (content === undefined) continue;
      const document = parse(content);
      this.#need(
        document?.["mediaType"] === undefined || document["mediaType"] === type,
        `${place}: it is no ${type}`,
      );
      if (document === undefined) this.faults.push(`${place}: it is no JSON`);
      else if (INDEX_TYPES.includes(type)) this.#checkIndex(document, place);
      else if (MANIFEST_TYPES.includes(type)) this.#checkManifest(document, place);
      else this.faults.push(`${place}: mediaType ${type}`);
    }
  }

  /** manifest.md */
  #checkManifest(manifest: Members, at: string): void {
    const { schemaVersion, config, layers, annotations } = manifest;
    this.#need(schemaVersion === 2, `${at}: schemaVersion is not 2`);
    this.#checkAnnotations(annotations, at);
    const configBytes = this.#checkDescriptor(config, `${at}: config`);
    const configType = String((config as Members | undefined)?.["mediaType"]);
    this.#need(CONFIG_TYPES.includes(configType), `${at}: config: mediaType ${configType}`);
    if (!Array.isArray(layers)) return void this.faults.push(`${at}: layers is no array`);
    const diffIds = layers.map((layer: Members, position) => {
      const place = `${at}: layers[${position}]`;
      this.#need(isLayerType(String(layer["mediaType"])), `${place}: mediaType ${layer["mediaType"]}`);
      const bytes = this.#checkDescriptor(layer, place);
      return bytes === undefined ? "" : this.#diffIdOf(bytes, String(layer["mediaType"]), place);
    });
    const document = configBytes === undefined ? undefined : parse(configBytes);
    if (document !== undefined) this.#checkConfig(document, diffIds, `${at}: config`);
  }

  /** layer.md: what the media type says is what the bytes are. */
  #diffIdOf(bytes: Buffer, mediaType: string, at: string): string {
    const magic = bytes.subarray(0, 4).toString("hex");
    const found = magic.startsWith("1f8b") ? "gzip" : magic === "28b52ffd" ? "zstd" : "";
    const named = /(gzip|zstd)$/.exec(mediaType)?.[1] ?? "";
    this.#need(found === named, `${at}: it is ${found || "not compressed"}, and named ${mediaType}`);
    if (found === "gzip") return sha256Digest(gunzipSync(bytes));
    return sha256Digest(found === "zstd" ? zstdDecompressSync(bytes) : bytes);
  }

  /** config.md */
  #checkConfig(config: Members, diffIds: readonly string[], at: string): void {
    const { created, architecture, os, rootfs, history } = config;
    this.#need(created === undefined || TIME.test(String(created)), `${at}: created ${created}`);
    this.#need(isText(architecture) && isText(os), `${at}: architecture or os is missing`);
    const { type, diff_ids } = (rootfs ?? {}) as Members;
    this.#need(type === "layers", `${at}: rootfs.type ${type}`);
    this.#need(
      JSON.stringify(diff_ids) === JSON.stringify(diffIds),
      `${at}: rootfs.diff_ids are not those of the layers`,
    );
    if (history !== undefined) this.#checkHistory(history, diffIds.length, at);
    this.#checkExecution((config["config"] ?? {}) as Members, at);
  }

  #checkHistory(history: Json, layers: number, at: string): void {
    if (!Array.isArray(history)) return void this.faults.push(`${at}: history is no array`);
    const steps = history as readonly Members[];
    for (const { created, created_by, author, comment, empty_layer } of steps) {
      this.#need(created === undefined || TIME.test(String(created)), `${at}: history: created ${created}`);
      const isRight = [created_by, author, comment].every(
        (text) => text === undefined || typeof text === "string",
      );
      this.#need(
        isRight && [undefined, true, false].includes(empty_layer as boolean),
        `${at}: history: types`,
      );
    }
    const filled = steps.filter(({ empty_layer }) => empty_layer !== true).length;
    this.#need(filled === layers, `${at}: history has ${filled} layers of ${layers}`);
  }

  #checkExecution(config: Members, at: string): void {
    for (const name of ["User", "WorkingDir", "StopSignal"]) {
      this.#need(config[name] === undefined || typeof config[name] === "string", `${at}: ${name} is no text`);
    }
    for (const name of ["Env", "Entrypoint", "Cmd"]) {
      const list = config[name] ?? [];
      this.#need(
        Array.isArray(list) && list.every((text) => typeof text === "string"),
        `${at}: ${name} is no list`,
      );
    }
    for (const variable of (config["Env"] ?? []) as readonly string[]) {
      this.#need(/^[^=]+=/.test(variable), `${at}: Env has ${variable}`);
    }
    for (const port of Object.keys((config["ExposedPorts"] ?? {}) as Members)) {
      this.#need(/^\d+(\/(tcp|udp|sctp))?$/.test(port), `${at}: ExposedPorts has ${port}`);
    }
    for (const path of Object.keys((config["Volumes"] ?? {}) as Members)) {
      this.#need(path !== "", `${at}: Volumes has an empty path`);
    }
    this.#checkTexts(config["Labels"] ?? undefined, `${at}: Labels`);
  }

  /** descriptor.md. @returns the content, undefined when it is not here or something else */
  #checkDescriptor(value: Json, at: string): Buffer | undefined {
    const { mediaType, digest, size, annotations, urls, data } = (value ?? {}) as Members;
    this.#need(MEDIA_TYPE.test(String(mediaType)), `${at}: mediaType ${mediaType}`);
    this.#need(DIGEST.test(String(digest)), `${at}: digest ${digest}`);
    this.#need(Number.isSafeInteger(size) && Number(size) >= 0, `${at}: size ${size}`);
    this.#need(urls === undefined || Array.isArray(urls), `${at}: urls is no array`);
    this.#checkAnnotations(annotations, at);
    const path = `${this.#directory}/blobs/${String(digest).replace(":", "/")}`;
    if (!existsSync(path)) return void this.faults.push(`${at}: ${digest} is not here`);
    const content = readFileSync(path);
    this.#need(content.length === size, `${at}: size ${size}, and it has ${content.length} bytes`);
    this.#need(data === undefined || data === content.toString("base64"), `${at}: data is something else`);
    return content;
  }

  #checkPlatform(platform: Json, at: string): void {
    if (platform === undefined) return;
    const { os, architecture, variant } = platform as Members;
    this.#need(isText(os) && isText(architecture), `${at}: platform without os or architecture`);
    this.#need(variant === undefined || isText(variant), `${at}: platform.variant ${variant}`);
  }

  /** annotations.md */
  #checkAnnotations(annotations: Json, at: string): void {
    this.#checkTexts(annotations, `${at}: annotations`);
    const name = ((annotations ?? {}) as Members)["org.opencontainers.image.ref.name"];
    this.#need(name === undefined || REF_NAME.test(String(name)), `${at}: ref.name ${name}`);
  }

  #checkTexts(map: Json, at: string): void {
    if (map === undefined) return;
    const isMap = typeof map === "object" && map !== null && !Array.isArray(map);
    const isRight =
      isMap && Object.entries(map).every(([key, value]) => key !== "" && typeof value === "string");
    this.#need(isRight, `${at}: ${JSON.stringify(map)}`);
  }

  #read(name: string): Members | undefined {
    const path = `${this.#directory}/${name}`;
    const document = existsSync(path) ? parse(readFileSync(path)) : undefined;
    this.#need(document !== undefined, `${name} is missing, or no JSON`);
    return document;
  }

  #need(isRight: boolean, fault: string): void {
    if (!isRight) this.faults.push(fault);
  }
}

/** What is no layer of files, such as an attestation, has a type of its own. */
function isLayerType(mediaType: string): boolean {
  return LAYER_TYPE.test(mediaType) || !(mediaType.startsWith(OCI) || mediaType.startsWith(DOCKER));
}

const isText = (value: Json): boolean => typeof value === "string" && value !== "";

function parse(bytes: Uint8Array): Members | undefined {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
