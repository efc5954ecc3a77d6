/**
 * Images as three programs show them: pulled by bunker and by podman, and mounted as the overlays that containers get;
 * and unpacked by umoci into one directory.
 */
import { lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { removeTree } from "../../src/fs/remove_tree.ts";
import { AT_FDCWD } from "../../src/linux/abi/fcntl.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { isImagePath } from "../../src/store/find_image.ts";
import type { BuiltDocument } from "../helpers/image_builder.ts";
import { mountImage } from "../helpers/mount_image.ts";
import { writeOciLayout } from "../helpers/oci_layout.ts";
import { PullSandbox } from "../helpers/pull_sandbox.ts";
import type { Need } from "../helpers/requires.ts";
import { snapshotTree, type TreeSnapshot } from "../helpers/tree_snapshot.ts";

/** What all three need. */
export const TREE_NEEDS: readonly Need[] = ["root", "overlayfs", "program podman", "program umoci"];

/** Why a program refused an image, or did not show what it made of it. */
export interface Refused {
  readonly refused: string;
}

/** What a program made of an image. */
export type Tree = TreeSnapshot | Refused;

export const isRefused = (tree: Tree): tree is Refused => typeof tree["refused"] === "string";

/** The programs, with places of their own below a directory. */
export class ImageTrees implements AsyncDisposable {
  readonly #directory: string;
  #count = 0;

  /** @param directory does not exist yet; removed with all in it when disposed of */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory);
  }

  /** What a container of bunker sees. */
  async bunker(image: BuiltDocument): Promise<Tree> {
    await using store = PullSandbox.serve({ "app:latest": image });
    try {
      const pulled = await store.pull();
      const layers = pulled.image.layers.map((layer) => `${store.root}/${layer}`);
      return await this.#mounted(layers.reverse());
    } catch (error) {
      return { refused: `${error} ${(error as Error).cause}` };
    }
  }

  /** What a container of bunker sees of an image of any registry. */
  async bunkerFrom(reference: string): Promise<Tree> {
    await using store = PullSandbox.serve({});
    const { image } = await store.pull({ reference: parseReference(reference) });
    return await this.#mounted(image.layers.map((layer) => `${store.root}/${layer}`).reverse());
  }

  async umoci(image: BuiltDocument): Promise<Tree> {
    return await this.umociFrom(this.#layoutOf(image));
  }

  async podman(image: BuiltDocument): Promise<Tree> {
    return await this.podmanFrom(this.#layoutOf(image));
  }

  /** @param layout absolute path of an OCI layout with the tag `latest` */
  async umociFrom(layout: string): Promise<Tree> {
    const directory = this.#newDirectory();
    const unpack = Bun.$`umoci raw unpack --image ${layout}:latest ${directory}/tree`.quiet().nothrow();
    const { exitCode, stderr } = await unpack;
    const tree = exitCode === 0 ? snapshotTree(`${directory}/tree`) : { refused: stderr.toString() };
    removeTree({ dirfd: AT_FDCWD, path: directory });
    return tree;
  }

  /** @param layout as {@link umociFrom} */
  async podmanFrom(layout: string): Promise<Tree> {
    const directory = this.#newDirectory();
    symlinkSync(layout, `${directory}/layout`);
    const podman = [
      "podman",
      "--root",
      `${directory}/root`,
      "--runroot",
      `${directory}/run`,
      "--storage-driver=overlay",
    ];
    // podman makes a name of the path, and refuses capitals in it.
    const pull = await Bun.$`${podman} pull -q oci:layout:latest`.cwd(directory).quiet().nothrow();
    const id = pull.stdout.toString().trim();
    try {
      if (pull.exitCode !== 0) return { refused: pull.stderr.toString() };
      const mounted = await Bun.$`${podman} image mount ${id}`.quiet();
      return shownAt(mounted.stdout.toString().trim());
    } finally {
      await Bun.$`${podman} image umount --all`.quiet().nothrow();
      await Bun.$`umount -l ${directory}/root/overlay`.quiet().nothrow();
      removeTree({ dirfd: AT_FDCWD, path: directory });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    removeTree({ dirfd: AT_FDCWD, path: this.#directory });
  }

  /** @param layers absolute paths, top first */
  async #mounted(layers: readonly string[]): Promise<Tree> {
    const directory = this.#newDirectory();
    for (const name of ["empty", "tree"]) mkdirSync(`${directory}/${name}`);
    using images = new DisposableStack();
    const shown = layers.map((layer) =>
      // By the number of this process, for mount(8); the dot, since the descriptor itself is a symbolic link.
      isImagePath(layer) ? `/proc/${process.pid}/fd/${images.use(mountImage(layer)).number}/.` : layer,
    );
    const lower = [...shown, `${directory}/empty`].join(":");
    await Bun.$`mount -t overlay -o ro,lowerdir=${lower} overlay ${directory}/tree`.quiet();
    try {
      return shownAt(`${directory}/tree`);
    } finally {
      await Bun.$`umount ${directory}/tree`.quiet();
      removeTree({ dirfd: AT_FDCWD, path: directory });
    }
  }

  #layoutOf(image: BuiltDocument): string {
    const layout = `${this.#newDirectory()}/layout`;
    writeOciLayout(layout, { latest: image });
    return layout;
  }

  #newDirectory(): string {
    this.#count += 1;
    const directory = `${this.#directory}/${this.#count}`;
    mkdirSync(directory);
    return directory;
  }
}

/** What an overlay shows; a name that is listed but not there is none that anybody could want. */
function shownAt(root: string): Tree {
  const pending = [Buffer.from(root)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { refused: `ENOENT: ${path.toString("latin1")}` };
    if (!stat.isDirectory()) continue;
    for (const name of readdirSync(path, { encoding: "buffer" })) {
      pending.push(Buffer.concat([path, Buffer.from("/"), name]));
    }
  }
  return snapshotTree(root);
}
