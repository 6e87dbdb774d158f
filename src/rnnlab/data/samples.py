"""Samples: the lines of a text, each a text of its own.

A sample ends with a line break, and a text of samples begins with one. So a line break is both the
end of a sample and the beginning of the next: after it the state is zero, and nothing that came
before counts. Empty lines are no samples.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rnnlab.data.base_tokenizer import Tokenizer
from rnnlab.data.preprocessing import preprocess
from rnnlab.data.splits import SPLITS
from rnnlab.errors import CorpusError, UsageError

SEPARATOR = "\n"


@dataclass(frozen=True)
class SplitSamples:
    """Samples by split, and what is told of them."""

    splits: dict[str, list[str]]
    repeated: int
    """How many are equal to one before them."""
    left_out: int
    """How many held-out ones were left out, since an earlier split has them."""

    def text(self, split: str) -> str:
        """Return the samples of a split as one text; empty if there are none."""
        return as_text(self.splits[split])


def start_of_samples(tokenizer: Tokenizer) -> int:
    """Return the id of the separator; raises UsageError if it is not one token."""
    ids = tokenizer.encode(SEPARATOR)
    if len(ids) != 1 or ids[0] == tokenizer.unknown_id:
        raise UsageError(
            f"unit = 'lines' needs a tokenizer that knows the line break, not this {tokenizer!r}"
        )
    return int(ids[0])


def as_text(samples: Iterable[str]) -> str:
    """Return samples as one text, which begins with the separator; "" for none."""
    text = SEPARATOR.join(samples)
    return f"{SEPARATOR}{text}{SEPARATOR}" if text else ""


def samples_of(text: str) -> list[str]:
    """Return the lines of a text that are not empty, without their line breaks."""
    lines = (line.removesuffix("\r") for line in text.split(SEPARATOR))
    return [line for line in lines if line]


def prepared_samples(text: str, rule: str) -> list[str]:
    """Return the samples of a text, each under a text rule; those of which nothing is left are
    left out."""
    lines = (preprocess(line, rule) for line in samples_of(text))
    return [line for line in lines if line]


def split_samples(
    samples: Sequence[str], parts: tuple[float, float, float], order: str, seed: int
) -> SplitSamples:
    """Divide samples among train, validation and test.

    parts: shares that sum to 1, or numbers of samples; then the rest is not used, and UsageError is
    raised if there are fewer. order: "shuffled" by `seed`, where equal samples are in one split; or
    "file", where held-out samples that an earlier split has are left out.

    Raises CorpusError if there are no samples for training.
    """
    sizes = _sizes(len(samples), parts)
    if order == "shuffled":
        samples = _shuffled(samples, seed)
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    begin, left_out = 0, 0
    for name, size in zip(SPLITS, sizes, strict=True):
        end = begin + size
        if order == "shuffled" and size:  # equal samples are next to each other
            while end < len(samples) and samples[end] == samples[end - 1]:
                end += 1
        end = max(begin, end)
        own = samples[begin:end]
        found[name] = [sample for sample in own if sample not in seen]
        left_out += len(own) - len(found[name])
        seen.update(own)
        begin = end
    if not found["train"]:
        raise CorpusError(f"no training samples: the corpus has {len(samples)} lines with text")
    if order == "shuffled":
        found = {name: _spread(own, seed) for name, own in found.items()}
    return SplitSamples(found, len(samples) - len(set(samples)), left_out)


def _sizes(count: int, parts: tuple[float, float, float]) -> list[int]:
    if sum(parts) > 1 + 1e-6:
        sizes = [int(part) for part in parts]
        if sum(sizes) > count:
            raise UsageError(f"split asks for {sum(sizes)} samples; the corpus has {count}")
        return sizes
    first = min(count, round(count * parts[0]))
    second = min(count, round(count * (parts[0] + parts[1])))
    return [first, second - first, count - second]


def _place(text: str, seed: int) -> bytes:
    """Return where a text stands in an order that depends on nothing but it and a seed."""
    content = text.encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=8, key=str(seed).encode()).digest()


def _shuffled(samples: Sequence[str], seed: int) -> list[str]:
    """Return the samples in an order that their own does not matter for, equal ones together."""
    return sorted(samples, key=lambda sample: (_place(sample, seed), sample))


def _spread(samples: Sequence[str], seed: int) -> list[str]:
    """Return the samples in such an order, equal ones apart."""
    numbers: Counter[str] = Counter()
    places = []
    for sample in samples:
        places.append((_place(f"{numbers[sample]}\n{sample}", seed), sample))
        numbers[sample] += 1
    return [sample for _, sample in sorted(places)]
