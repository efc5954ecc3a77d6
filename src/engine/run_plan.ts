/** What is known of a run before its container is built. */
import type { Spec } from "../runtime/spec/config.ts";
import type { StoredImage } from "../store/find_image.ts";
import type { EngineContext } from "./context.ts";
import type { HostStatus } from "./host.ts";
import type { RunOptions } from "./options/run_options.ts";
import type { IdMaps } from "./rootless.ts";

/** What a run starts from. */
export interface RunInputs {
  readonly options: RunOptions;
  readonly context: EngineContext;
  /** Data root. */
  readonly root: string;
  readonly status: HostStatus;
  /** Undefined as root. */
  readonly idMaps: IdMaps | undefined;
  readonly image: StoredImage;
}

/** A run with its container's id and configuration. */
export interface ContainerPlan extends RunInputs {
  /** 64 hex digits. */
  readonly id: string;
  readonly spec: Spec;
  /** Array of struct sock_filter; undefined: unconfined. */
  readonly seccompFilter: Uint8Array | undefined;
}
