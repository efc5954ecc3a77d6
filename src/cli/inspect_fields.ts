/**
 * What a template may ask of an image besides what its JSON shows. docker's objects have all of their fields, whatever an
 * image says: `{{.Config.User}}` is empty, not missing. Here they are hidden properties, so that `{{json .Config}}` and a
 * range show what the image has.
 */
import type { ImageInspection } from "../engine/inspect_image.ts";
import type { Value } from "./template/node.ts";
import type { Row } from "./template_output.ts";

/** Go's nil slice and map: printed as empty, and `null` as JSON. */
class NilList extends Array<Value> {
  toJSON(): null {
    return null;
  }
}
const LIST: Value = new NilList();
const MAP: Value = Object.create({ toJSON: () => null });

const IMAGE_FIELDS: Row = { Variant: "", OsVersion: "" };
const CONFIG_FIELDS: Row = {
  User: "",
  ExposedPorts: MAP,
  Env: LIST,
  Entrypoint: LIST,
  Cmd: LIST,
  Healthcheck: null,
  Volumes: MAP,
  WorkingDir: "",
  Labels: MAP,
  OnBuild: LIST,
  Shell: LIST,
  StopSignal: "",
};

/** The image with all fields that docker's has; `ID` is Go's name of `Id`. */
export function templateFields(image: ImageInspection): Row {
  const config = withHidden(image.Config as Row, CONFIG_FIELDS);
  return withHidden({ ...image, Config: config } as unknown as Row, { ...IMAGE_FIELDS, ID: image.Id });
}

function withHidden(object: Row, fields: Row): Row {
  const shown = { ...object };
  for (const [name, value] of Object.entries(fields)) {
    const isMissing = shown[name] === undefined || shown[name] === null;
    if (isMissing) Object.defineProperty(shown, name, { value, enumerable: false });
  }
  return shown;
}
