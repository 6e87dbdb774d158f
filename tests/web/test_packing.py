"""The binary answer, read byte by byte, and answers that are kept."""

import json
import struct

import numpy as np

from rnnlab.web.packing import Kept, packed, unpacked


def test_every_byte_is_where_the_format_says():
    values = np.array([[1.0, -2.5, 1 / 3], [1e9, np.nan, 0.0]])
    content = packed(
        {"finding": ["é"], "share": float("inf")},
        {"values": values, "ids": np.array([70_000, -1]), "has": np.array([True, False, True])},
        {"values": ("token", "unit"), "ids": ("token",), "has": ("token",)},
    )
    (size,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + size])
    assert header["finding"] == ["é"]
    assert header["share"] is None
    one, ids, has = header["arrays"]
    assert one == {
        "name": "values", "axes": ["token", "unit"], "shape": [2, 3], "dtype": "float16",
        "offset": 4 + size,
    }  # fmt: skip
    assert (ids["dtype"], has["dtype"]) == ("int32", "uint8")
    for entry in header["arrays"]:
        assert entry["offset"] % 8 == 0
    halves = struct.unpack_from("<6e", content, one["offset"])
    np.testing.assert_array_equal(halves[:3], values[0].astype(np.float16))
    np.testing.assert_array_equal(halves[3:], [np.inf, np.nan, 0])
    assert struct.unpack_from("<2i", content, ids["offset"]) == (70_000, -1)
    assert content[has["offset"] : has["offset"] + 3] == b"\1\0\1"
    assert len(content) % 8 == 0
    again, arrays = unpacked(content)
    assert again == header
    assert arrays["values"].tobytes() == struct.pack("<6e", *halves)


def test_exact_numbers_are_float32():
    content = packed({}, {"a": np.array([1 / 3, 1e-9])}, {"a": ("x",)}, exact=True)
    _, arrays = unpacked(content)
    np.testing.assert_array_equal(arrays["a"], np.array([1 / 3, 1e-9], np.float32))


def test_many_arrays_of_any_size_do_not_overlap():
    random = np.random.default_rng(0)
    for number in range(40):
        arrays = {f"a{k}": random.normal(size=random.integers(0, 50)) for k in range(number)}
        _, found = unpacked(packed({"x": "y" * number}, arrays, dict.fromkeys(arrays, ("n",))))
        for name, own in arrays.items():
            np.testing.assert_array_equal(found[name], own.astype(np.float16))


def test_the_answers_that_were_used_last_are_kept():
    kept = Kept(10)
    kept.put("a", b"1234")
    kept.put("b", b"1234")
    assert kept.get("a") == b"1234"
    kept.put("c", b"1234")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (b"1234", None, b"1234")
    kept.put("a", b"1")
    kept.put("d", b"12345")
    assert kept.get("c") == b"1234"
    kept.put("large", b"x" * 11)
    assert kept.get("large") is None
