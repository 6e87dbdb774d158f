"""The WebAssembly in the package is the one that was made of the source."""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[3]
DECLARED = ROOT / "native" / "page" / "kernel.sha256"


def test_source_and_module_are_those_declared() -> None:
    lines = DECLARED.read_text(encoding="utf-8").splitlines()
    declared = {name: checksum for checksum, name in (line.split() for line in lines)}
    assert [Path(name).name for name in declared] == ["kernel.c", "kernel.wasm"]
    for name, checksum in declared.items():
        content = (DECLARED.parent / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == checksum, f"{name}: run native/page/make.sh"
