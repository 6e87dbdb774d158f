"""The data of docs/how-to/situations: five kinds of samples, made from what is on the machine.

    python benchmarks/situations.py data

names.txt       names of the functions and classes of Python's standard library
service.log     ordinary lines of the made-up service of `anomalies.py`; new.log: further lines, the
                last 100 of them wrong
letters.csv     names of letters of the Unicode standard without their first word, the label
molecules.smi   made-up molecules in SMILES
messages.jsonl  Russian messages of the programs on this machine, from /usr/share/locale
"""

import argparse
import ast
import csv
import gettext
import json
import re
import sysconfig
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from anomalies import TRAINED, log_lines, ordinary

SCRIPTS, MOST_LETTERS = 24, 2_000
"""Scripts with more letters name them by rule."""

MOLECULES = 20_000
VALENCES = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1, "Br": 1}
ATOMS = np.array(list(VALENCES))
SHARES = np.array([0.66, 0.12, 0.12, 0.03, 0.03, 0.03, 0.01])
BONDS = {1: "", 2: "=", 3: "#"}


def names() -> Iterator[str]:
    """Yield the names of functions and classes of the standard library, each once."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = set[str]()
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        nodes = ast.walk(ast.parse(file.read_bytes()))
        found |= {node.name.strip("_") for node in nodes if isinstance(node, kinds)}
    yield from found - {""}


def letters() -> Iterator[tuple[str, str]]:
    """Yield scripts and names of letters, of the scripts with the most of them."""
    found = defaultdict[str, list[str]](list)
    for code in range(0x110000):
        if unicodedata.category(chr(code)).startswith("L"):
            script, _, name = unicodedata.name(chr(code), "").partition(" ")
            if name and not re.search(r"\d", name.split()[-1]):  # numbered signs
                found[script].append(name)
    known = [script for script in found if len(found[script]) <= MOST_LETTERS]
    for script in sorted(known, key=lambda each: -len(found[each]))[:SCRIPTS]:
        yield from ((script, name) for name in found[script])


def molecule(rng: np.random.Generator) -> str:
    """Return a random molecule: a tree of atoms, some of them closed to rings, in SMILES.

    Each atom has at most as many bonds as it can have; what is left are hydrogens, which SMILES
    does not write.
    """
    size = 3 + int(rng.poisson(6))
    symbols, free, children = ["C"], [4], defaultdict[int, list[tuple[int, int]]](list)
    parents = [-1]
    for _ in range(size - 1):
        parent = int(rng.choice(np.flatnonzero(free)))
        symbol = str(rng.choice(ATOMS, p=SHARES))
        most = min(free[parent], VALENCES[symbol], 3)
        bond = 1 if rng.random() < 0.8 else int(rng.integers(1, most + 1))
        children[parent].append((len(symbols), bond))
        free[parent] -= bond
        symbols.append(symbol)
        free.append(VALENCES[symbol] - bond)
        parents.append(parent)
        if not any(free):
            break
    rings = defaultdict[int, str](str)
    for number in range(1, 1 + int(rng.integers(0, 3))):
        a, b = rng.integers(len(symbols), size=2)
        if a != b and parents[a] != b and parents[b] != a and free[a] and free[b]:
            free[a] -= 1
            free[b] -= 1
            rings[a] += str(number)
            rings[b] += str(number)

    def written(atom: int) -> str:
        parts = [BONDS[bond] + written(child) for child, bond in children[atom]]
        return (
            symbols[atom]
            + rings[atom]
            + "".join(f"({p})" for p in parts[:-1])
            + "".join(parts[-1:])
        )

    return written(0)


def is_molecule(text: str) -> bool:
    """Return whether a text is such a SMILES: closed branches and rings, no atom over-bonded."""
    used, symbols = list[int](), list[str]()
    stack, rings = list[int](), dict[str, int]()
    last, bond, k = -1, 1, 0
    while k < len(text):
        character = text[k]
        symbol = text[k : k + 2] if text[k : k + 2] in VALENCES else character
        k += len(symbol) if symbol in VALENCES else 1
        if symbol in VALENCES:
            symbols.append(symbol)
            used.append(0)
            if last >= 0:
                used[last] += bond
                used[-1] += bond
            last, bond = len(symbols) - 1, 1
        elif character in "=#" and bond == 1 and last >= 0:
            bond = "=#".index(character) + 2
        elif character.isdigit() and last >= 0 and bond == 1:
            other = rings.pop(character, None)
            if other is None:
                rings[character] = last
            elif other == last:
                return False
            else:
                used[other] += 1
                used[last] += 1
        elif character == "(" and last >= 0 and bond == 1:
            stack.append(last)
        elif character == ")" and stack and bond == 1:
            last = stack.pop()
        else:
            return False
    fits = all(n <= VALENCES[symbol] for n, symbol in zip(used, symbols, strict=True))
    return bool(symbols) and bond == 1 and not stack and not rings and fits


def messages() -> Iterator[str]:
    """Yield the Russian messages of the programs on this machine, without line breaks."""
    for file in sorted(Path("/usr/share/locale/ru/LC_MESSAGES").glob("*.mo")):
        with file.open("rb") as stream:
            catalogue = gettext.GNUTranslations(stream)
        for key in vars(catalogue)["_catalog"]:
            text = catalogue.gettext(key) if isinstance(key, str) and key else ""
            if text and text != key and "\n" not in text.strip():
                yield text.strip()


def write(folder: Path) -> None:
    """Write all data; what cannot be made on this machine is left out, and said."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    service = [ordinary(rng) for _ in range(TRAINED)]
    lines = {
        "names.txt": sorted(names()),
        "service.log": service,
        "new.log": log_lines(rng)[0],
        "molecules.smi": [molecule(rng) for _ in range(MOLECULES)],
        "messages.jsonl": [json.dumps({"text": each}, ensure_ascii=False) for each in messages()],
    }
    for name, content in lines.items():
        if content:
            (folder / name).write_text("\n".join(content) + "\n", encoding="utf-8")
            print(f"{folder / name}: {len(content):,} lines")
        else:
            print(f"{name}: cannot be made on this machine")
    with (folder / "letters.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerows([("script", "name"), *letters()])
    print(f"{folder / 'letters.csv'}: {SCRIPTS} scripts")


def main() -> None:
    """Write the data into a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help=(
        "instead: which share of the molecules in the file FOLDER is valid"))  # fmt: skip
    args = parser.parse_args()
    if not args.check:
        write(args.folder)
        return
    found = [is_molecule(line) for line in args.folder.read_text(encoding="utf-8").split()]
    print(f"{sum(found) / len(found):.1%} of {len(found):,} molecules are valid")


if __name__ == "__main__":
    main()
