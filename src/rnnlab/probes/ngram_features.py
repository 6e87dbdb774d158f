r"""What the last few tokens alone tell of a feature: the control that needs no network.

The feature's mean after each context of k tokens, with the mean after k - 1 as one more value:

    m_k(context) = (Σ y_t + m_{k-1}(context without its first token)) / (n + 1)

with n tokens t of the training part after this context, and m_0 the mean of all.

Legend: N tokens, F features, K longest context.
"""

from collections.abc import Iterator

import numpy as np

from rnnlab.data.tokenizer import Ids
from rnnlab.lm.evaluate import Floats


def contexts(ids: Ids, longest: int) -> Iterator[Ids]:
    """Yield for each length k up to the longest the number (N,) of the context at each token.

    It ends with the token itself, which the network has read as well.
    """
    groups, outside = np.zeros(len(ids), np.int64), int(ids.max()) + 1
    for k in range(longest):
        earlier = np.concatenate([np.full(min(k, len(ids)), outside), ids[: len(ids) - k]])
        # A group has one context of k tokens; this token before it makes it one of k + 1.
        _, groups = np.unique(groups * (outside + 1) + earlier, return_inverse=True)
        yield groups


def ngram_means(ids: Ids, features: Floats, train: slice, longest: int) -> Floats:
    """Return m_1 .. m_K at each token, (K, N, F), of ids (N,) and features (N, F)."""
    found, means = [], np.broadcast_to(features[train].mean(0), features.shape)
    for groups in contexts(ids, longest):
        size, own = int(groups.max()) + 1, groups[train]
        counts = np.bincount(own, minlength=size)[:, None]
        sums = np.stack([np.bincount(own, column, size) for column in features[train].T], axis=1)
        means = (sums[groups] + means) / (counts[groups] + 1)
        found.append(means)
    return np.stack(found)
