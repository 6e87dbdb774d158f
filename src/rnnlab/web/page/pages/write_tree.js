// The branches of a text: each keeps the beginning of another one and goes on in its own way.
//
// A tree is {now, count, branches}; a branch is {from, keep, text, how, bits, by, next}: it has the first `keep`
// characters of the branch `from`, and then its own text. next: the branch that redo goes to.

export const MOST_BRANCHES = 200, MOST_CHARACTERS = 300_000;

/** Return a tree of one branch. */
export function seedling(text = "") {
  return { now: 0, count: 1, branches: { 0: { from: null, keep: 0, text, how: "typed" } } };
}

/** Return a tree that was stored; a new one if it is none. */
export function checked(tree) {
  try {
    textOf(tree);
    return bounded(tree);
  } catch {
    return seedling();
  }
}

/** Return the whole text of a branch. */
export function textOf({ now, branches }, id = now) {
  let text = "", end = Infinity;
  for (let branch = branches[id]; ; branch = branches[branch.from]) {
    text = branch.text.slice(0, Math.max(0, end - branch.keep)) + text;
    end = Math.min(end, branch.keep);
    if (branch.from === null) return text;
  }
}

/** Return how many characters two texts have in common at their beginning; no character is cut in half. */
export function common(one, other) {
  const most = Math.min(one.length, other.length);
  let same = 0;
  while (same < most && one.charCodeAt(same) === other.charCodeAt(same)) same++;
  const last = one.charCodeAt(same - 1);
  return last >= 0xd800 && last < 0xdc00 ? same - 1 : same;
}

/** Return the tree with a new branch of the current one. */
export function branched(tree, text, how) {
  const { now, count, branches } = tree, keep = common(textOf(tree), text);
  const grown = { ...branches, [now]: { ...branches[now], next: count } };
  grown[count] = { from: now, keep, text: text.slice(keep), how };
  return bounded({ now: count, count: count + 1, branches: grown });
}

/** Return the tree with another text of the current branch, which must be a leaf. */
export function amended(tree, text) {
  const { now, branches } = tree, { from } = branches[now];
  const keep = from === null ? 0 : common(textOf(tree, from), text);
  const { bits, ...branch } = branches[now];
  return { ...tree, branches: { ...branches, [now]: { ...branch, keep, text: text.slice(keep) } } };
}

/** Return the tree after an edit, which belongs to the one before if that was of the same kind; isNew: never. */
export function edited(tree, text, how, isNew) {
  const isOpen = !isNew && tree.branches[tree.now].how === how && isLeaf(tree, tree.now);
  return isOpen ? amended(tree, text) : branched(tree, text, how);
}

/** Return the tree at another branch; redo leads back here if that one is an ancestor. */
export function at(tree, id) {
  const branches = { ...tree.branches };
  for (let own = tree.now; branches[own].from !== null; own = branches[own].from) {
    branches[branches[own].from] = { ...branches[branches[own].from], next: own };
  }
  return { ...tree, now: id, branches };
}

/** Return the branch that undo goes to, or redo; null: none. */
export const before = ({ now, branches }) => branches[now].from;
export const after = ({ now, branches }) => branches[branches[now].next] ? branches[now].next : null;

/** Return the tree with the bits per character of the current branch; by: the model that they are of. */
export function measured(tree, bits, by) {
  const { now, branches } = tree, own = branches[now];
  if (own.bits === bits && own.by === by) return tree;
  return { ...tree, branches: { ...branches, [now]: { ...own, bits, by } } };
}

/** Return the beginning of a text, of so many characters or one fewer: none is cut in half. */
export const cut = (text, most) => text.slice(0, common(text, text.slice(0, most)));

/** Return all branches in the order of the tree: {id, depth, ...}; depth: how many forks are above. */
export function listed({ branches }) {
  const children = {};
  for (const [id, { from }] of Object.entries(branches)) (children[from] ??= []).push(Number(id));
  const found = [], open = children.null.map((id) => ({ id, depth: 0 }));
  while (open.length) {
    const { id, depth } = open.pop(), own = children[id] ?? [];
    found.push({ ...branches[id], id, depth });
    const deeper = own.length > 1 ? depth + 1 : depth;
    for (const child of own.reverse()) open.push({ id: child, depth: deeper });
  }
  return found;
}

function isLeaf({ branches }, id) {
  return !Object.values(branches).some(({ from }) => from === id);
}

/** Forget the oldest leaves, and then the oldest beginnings, while there is too much. */
function bounded(tree) {
  let { now, branches } = tree;
  const size = () => Object.values(branches).reduce((sum, { text }) => sum + text.length, 0);
  for (;;) {
    const ids = Object.keys(branches).map(Number).sort((a, b) => a - b);
    if (ids.length === 1 || (ids.length <= MOST_BRANCHES && size() <= MOST_CHARACTERS)) return { ...tree, branches };
    const leaf = ids.find((id) => id !== now && isLeaf({ branches }, id));
    const { [leaf ?? ids[0]]: gone, ...rest } = branches;
    if (leaf === undefined) rest[ids[1]] = { ...rest[ids[1]], from: null, keep: 0, text: textOf({ branches }, ids[1]) };
    branches = rest;
  }
}
