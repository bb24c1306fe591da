/** The names that a scan of JSON looks for, as a tree: the leaves are wanted. */

export interface Wanted {
  readonly path: string | undefined;
  readonly below: Map<string, Wanted>;
  /** The same names as bytes, so that a key that has no escapes is compared where it stands. */
  readonly names: { readonly bytes: Buffer; readonly wanted: Wanted }[];
}

function node(path: string | undefined): Wanted {
  return { path, below: new Map(), names: [] };
}

/** The tree of dotted paths, such as `usage` and `response.usage`. A path that another one goes through is no leaf. */
function treeOf(paths: readonly string[]): Wanted {
  const root = node(undefined);
  for (const path of paths) {
    let above = root;
    const names = path.split(".");
    for (const [at, name] of names.entries()) {
      let next = above.below.get(name);
      if (!next) {
        next = node(at === names.length - 1 ? path : undefined);
        above.below.set(name, next);
        above.names.push({ bytes: Buffer.from(name), wanted: next });
      }
      above = next;
    }
  }
  return root;
}

/** Trees by the list that they were made from: each caller has one, and asks with it for every call. */
const trees = new WeakMap<readonly string[], Wanted>();

export function knownTree(paths: readonly string[]): Wanted {
  const tree = trees.get(paths) ?? treeOf(paths);
  trees.set(paths, tree);
  return tree;
}

/** What is wanted below under the key in these bytes; undefined when nothing is. */
export function wantedAt({ names }: Wanted, chunk: Buffer, start: number, end: number): Wanted | undefined {
  for (const { bytes, wanted } of names) {
    if (bytes.length !== end - start) continue;
    let same = 0;
    while (same < bytes.length && bytes[same] === chunk[start + same]) same += 1;
    if (same === bytes.length) return wanted;
  }
  return undefined;
}
