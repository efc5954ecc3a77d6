import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { contained, file, hardlink, refused, symlink } from "../helpers/hostile_layers.ts";
import { type LayerForm, LayerSandbox, layerForms } from "../helpers/layer_sandbox.ts";
import { titleOf } from "../helpers/requires.ts";
import type { TarEntry } from "../helpers/tar_builder.ts";
import { listTree, snapshotTree } from "../helpers/tree_snapshot.ts";

describe.each([...layerForms])("a hostile layer in form %s", (form, missing) => {
  const title = (text: string): string => titleOf(text, missing);

  test.skipIf(missing !== undefined).each(refused)(
    title("is refused for %s, and the message names the entry"),
    (_, entries) => {
      using sandbox = new AttackedSandbox(form);
      const before = sandbox.outside();

      const attack = (): unknown => sandbox.unpack(sandbox.aim(entries));

      expect(attack).toThrow(
        expect.objectContaining({
          code: "LAYER_INVALID",
          message: expect.stringMatching(/^Cannot unpack entry "/),
        }),
      );
      expect(sandbox.outside()).toEqual(before);
    },
  );

  test.skipIf(missing !== undefined).each(contained)(
    title("stays inside with %s"),
    (_, entries, expected) => {
      using sandbox = new AttackedSandbox(form);
      const before = sandbox.outside();

      const { path } = sandbox.unpack(sandbox.aim(entries));

      const inside = expected.flatMap((name) => (name === "@/" ? sandbox.pathInside() : [name]));
      expect(listTree(path)).toEqual([...inside].sort());
      expect(sandbox.outside()).toEqual(before);
    },
  );

  test.skipIf(missing !== undefined)(title("cannot hide or redirect by overlay's own attributes"), () => {
    using sandbox = new LayerSandbox(form);
    const xattrs = {
      "trusted.overlay.opaque": "y",
      "trusted.overlay.redirect": "/etc",
      "trusted.md5sum": "x",
      "user.overlay.opaque": "y",
      "user.kept": "1",
    };

    const { path } = sandbox.unpack([{ name: "d/", xattrs }]);

    expect(snapshotTree(path)["d"]?.xattrs).toEqual(["user.kept=31"]);
  });

  test.skipIf(missing !== undefined)(title("cannot link to a file outside through a symlink"), () => {
    using sandbox = new AttackedSandbox(form);
    const entries = sandbox.aim([symlink("esc", "@"), hardlink("x", "esc/victim")]);

    const { result } = sandbox.unpack(entries);

    expect(result.links).toEqual([{ path: "x", target: "esc/victim", entry: "x" }]);
  });

  test.skipIf(missing !== undefined)(
    title("may nest as deep as the kernel's paths, and no deeper"),
    () => {
      using sandbox = new LayerSandbox(form);
      const deep = (levels: number): readonly TarEntry[] => [file(`${"d/".repeat(levels)}f`)];

      const { result } = sandbox.write(deep(2000));

      expect(result.implied).toHaveLength(2000);
      expect(() => sandbox.write(deep(2100))).toThrow(expect.objectContaining({ code: "ARCHIVE_INVALID" }));
    },
    20_000,
  );
});

/** Has a directory beside the layers that nothing may change. */
class AttackedSandbox extends LayerSandbox {
  readonly #victims = `${this.path}/outside`;

  constructor(form: LayerForm) {
    super(form);
    mkdirSync(this.#victims);
    writeFileSync(`${this.#victims}/victim`, "untouched");
    writeFileSync(`${this.path}/victim`, "untouched");
  }

  /** Everything but the layers. */
  outside(): object {
    return snapshotTree(this.path, (path) => (path === "." || path.startsWith("layer-") ? undefined : {}));
  }

  /** Puts the real path where the archive says `@`. */
  aim(entries: readonly TarEntry[]): readonly TarEntry[] {
    return entries.map((entry) =>
      typeof entry.link === "string" ? { ...entry, link: entry.link.replace("@", this.#victims) } : entry,
    );
  }

  /** Directories that the absolute path of the victims has when it is taken inside a layer. */
  pathInside(): string[] {
    const names = this.#victims.split("/").slice(1);
    return names.map((_, index) => `${names.slice(0, index + 1).join("/")}/`);
  }
}
