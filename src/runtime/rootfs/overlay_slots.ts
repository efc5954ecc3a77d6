/** What differs between two containers of one image: strings by the names of their slots. */
import type { Overlay } from "./root_source.ts";

/** Options of mount(2) for an overlay, as one string. */
export function optionString(overlay: Overlay): string {
  const options = [
    `lowerdir=${overlay.lower.map(({ path }) => escapeLayer(path)).join(":")}`,
    `upperdir=${overlay.scratch}/upper,workdir=${overlay.scratch}/work,volatile`,
    ...(overlay.userxattr ? ["userxattr"] : []),
  ];
  return options.join(",");
}

/** The strings of an overlay, by the names of their slots. */
export function overlaySlots(overlay: Overlay): ReadonlyArray<readonly [name: string, text: string]> {
  const { scratch } = overlay;
  return [
    ["scratch", scratch],
    ["upper", `${scratch}/upper`],
    ["work", `${scratch}/work`],
    ["overlay options", optionString(overlay)],
  ];
}

const escapeLayer = (name: string): string => name.replace(/[\\:,]/g, "\\$&");
