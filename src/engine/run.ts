/**
 * `run`: finds the image, makes the container, waits for it, removes it. On this path every module and every
 * millisecond counts (ARCHITECTURE.md, Start-up): what only some runs need is imported by those runs.
 */
import { isImageId, parseReference } from "../oci/reference.ts";
import { createCgroup } from "../runtime/cgroup/cgroup.ts";
import { findImage, type StoredImage } from "../store/find_image.ts";
import { runAttempts } from "./attempts.ts";
import { ensureBaseLayer } from "./base_layer.ts";
import {
  type ContainerDirectory,
  type ContainerUse,
  createContainerDirectory,
} from "./container_directory.ts";
import type { EngineContext } from "./context.ts";
import { defaultDeviceRules } from "./default_spec.ts";
import { dataRoot, stateRoot } from "./directories.ts";
import { readHostStatus } from "./host.ts";
import type { RunOptions } from "./options/run_options.ts";
import { createAttempt, planContainerRun } from "./prepare.ts";
import type { IdMaps } from "./rootless.ts";
import type { ContainerPlan } from "./run_plan.ts";
import { requiredResources, resolveEnv } from "./spec.ts";
import type { RunResult } from "./summary.ts";

/**
 * Runs a container in the foreground and removes it when it has ended.
 * @throws {ContainerError} when it cannot be started, with the exit code that docker has for that.
 * @throws {BunkerError} when the image is neither here nor to be had, or an option cannot be honoured.
 */
export async function run(options: RunOptions, context: EngineContext): Promise<RunResult> {
  const root = dataRoot(context);
  const status = readHostStatus();
  const idMaps = status.root ? undefined : (await import("./rootless.ts")).idMapsOfUser();
  const image = await getImage(options, { context, root, idMaps });
  const plan = await planContainerRun({ options, context, root, status, idMaps, image });
  if (options.explain) return (await import("./explain_run.ts")).explainRun(plan);
  const name = options.name === undefined ? undefined : await claim(options.name, context);
  try {
    return await runContainer(plan);
  } finally {
    name?.[Symbol.dispose]();
  }
}

async function runContainer(plan: ContainerPlan): Promise<RunResult> {
  await ensureBaseLayer(plan.root);
  const directory = await createContainerDirectory(plan.root, {
    id: plan.id,
    idMaps: plan.idMaps,
    use: useOf(plan),
  });
  try {
    return await runIn(plan, directory);
  } finally {
    await directory.remove();
  }
}

function useOf({ image, options }: ContainerPlan): ContainerUse {
  const { imageId, layers, manifestDigest, overlayXattrs } = image;
  const { command, entrypoint, user, workdir, name } = options;
  const env = resolveEnv(options.env);
  return {
    imageId,
    layers,
    manifestDigest,
    overlayXattrs,
    name,
    given: { command, entrypoint, env, user, workdir },
  };
}

async function runIn(plan: ContainerPlan, directory: ContainerDirectory): Promise<RunResult> {
  const cgroup = createCgroup({
    id: plan.id.slice(0, 12),
    resources: plan.spec.linux.resources,
    required: requiredResources(plan.options),
    deviceRules: plan.options.privileged ? [] : defaultDeviceRules,
  });
  try {
    const exit = await runAttempts(await createAttempt(plan, { directory, cgroup }));
    return { exitCode: "code" in exit ? exit.code : 128 + exit.signal };
  } finally {
    cgroup.close();
    cgroup.remove();
  }
}

interface ImageSource {
  readonly context: EngineContext;
  readonly root: string;
  readonly idMaps: IdMaps | undefined;
}

async function getImage(options: RunOptions, source: ImageSource): Promise<StoredImage> {
  if (options.pull !== "always" && options.platform === undefined && !isImageId(options.image)) {
    const image = findImage(source.root, parseReference(options.image));
    if (image !== undefined) return image;
  }
  const { obtainImage } = await import("./obtain_image.ts");
  return obtainImage(options, source);
}

async function claim(name: string, context: EngineContext): Promise<Disposable> {
  const { claimName } = await import("./container_name.ts");
  return claimName(name, stateRoot(context));
}
