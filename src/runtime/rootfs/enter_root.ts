/** The end of a bundle's root, after the hooks: what becomes read-only, what is masked, and the way in. */
import { MOUNT_ATTR_RDONLY } from "../../linux/abi/mount.ts";
import type { Program } from "../../linux/program.ts";
import type { Variable } from "../../linux/step.ts";
import { type MaskPlan, planMasks } from "./mask.ts";
import { setAttributes } from "./mounts.ts";
import { planChroot, planMove, planPivotOnly } from "./pivot.ts";

/** How the root is entered. */
export type RootEntry =
  /** `shared`: mounts of the old root are peers of the host's. */
  | { readonly kind: "pivot"; readonly shared: boolean }
  /** `kernelMounts` of the host are hidden first. */
  | { readonly kind: "move"; readonly kernelMounts: readonly string[] }
  | { readonly kind: "chroot" };

/** A root that is assembled and not entered yet. */
export interface BundleRoot {
  readonly root: Variable;
  /** A descriptor of /dev, unless that is the host's. */
  readonly dev: Variable | undefined;
  readonly masks: MaskPlan | undefined;
  /** Mounts that become read-only. */
  readonly late: readonly Variable[];
  readonly readonly: boolean;
  readonly entry: RootEntry;
  /** MS_* flags of mount(2) for the new root, 0 for none. */
  readonly propagation: number;
}

/** Masks what is to be masked and enters the root. */
export function planEnterRoot(program: Program, bundle: BundleRoot): void {
  const { root, masks, entry, propagation } = bundle;
  if (masks !== undefined) planMasks(program, masks);
  const readonly = { attributes: MOUNT_ATTR_RDONLY, propagation: 0, recursive: false };
  if (bundle.late.length > 0) program.section("make mounts read-only");
  for (const mount of bundle.late) setAttributes(program, mount, readonly);
  if (bundle.readonly) setAttributes(program.section("make the root read-only"), root, readonly);
  if (entry.kind === "pivot") planPivotOnly(program, root, entry.shared);
  else if (entry.kind === "move") planMove(program, root, entry.kernelMounts);
  else planChroot(program, root);
  if (propagation !== 0)
    program.section("set the propagation of the root").mount(null, "/", null, propagation);
}
