/** Names in a layer's archive that hide what lies below (image-spec, layer.md#whiteouts). */

/** How the name of a file begins that hides the one behind it. */
export const WHITEOUT_FILE = ".wh.";
/** The file that hides all that its directory has below. */
export const OPAQUE_FILE = ".wh..wh..opq";
