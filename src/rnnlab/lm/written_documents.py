"""Documents that a model writes, up to the end of each."""

from collections.abc import Sequence

from rnnlab.data.samples import SEPARATOR, shown


class UntilEnd:
    """Cuts what is written for several documents where each ends; other text passes unchanged."""

    def __init__(self, count: int, *, of_documents: bool) -> None:
        self._ended = [False] * count
        self._of_documents = of_documents

    def __call__(self, pieces: Sequence[str]) -> list[str]:
        """Return the next piece of each document; "" once it has ended."""
        if not self._of_documents:
            return list(pieces)
        before = self._ended
        self._ended = [end or SEPARATOR in p for end, p in zip(before, pieces, strict=True)]
        return [
            "" if end else shown(piece.partition(SEPARATOR)[0])
            for end, piece in zip(before, pieces, strict=True)
        ]

    @property
    def all_ended(self) -> bool:
        """Whether nothing more will follow."""
        return self._of_documents and all(self._ended)
