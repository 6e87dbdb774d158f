"""Logistic and ridge regression by scikit-learn, fitted on one part of a text, tested on another.

Legend: N tokens to fit, M to test, U inputs.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnnlab.errors import UnavailableError
from rnnlab.lm.evaluate import Floats

try:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import ThreadpoolController  # scikit-learn needs it
except ModuleNotFoundError:
    raise UnavailableError(
        "decoding needs the package scikit-learn; install it with pip install 'rnnlab[probe]'"
    ) from None

CHANCE = {"binary": 0.5, "number": 0.0}


class Tested(NamedTuple):
    """How well a decoder does in the test part."""

    score: float
    """Balanced accuracy, chance 0.5; or R², chance 0."""
    output: Floats  # (M,) a probability, or the number


class Decoder:
    """Fits one feature after another to the same inputs, on one thread.

    The products are small: several threads wait for each other longer than they compute, above all
    while other programs use the cores.
    """

    def __init__(
        self, train: npt.NDArray[Any], test: npt.NDArray[Any], penalty: float, iterations: int
    ) -> None:
        """train (N, U), test (M, U): scaled alike to mean 0 and variance 1 in train.

        penalty: of the squared weights, for each token of train.
        """
        scaler = StandardScaler().fit(train)
        self.train, self.test = scaler.transform(train), scaler.transform(test)
        self.penalty, self.iterations = penalty * len(train), iterations
        self.threads = ThreadpoolController()  # to find the libraries takes as long as a small fit

    def fit(self, kind: str, train: Floats, test: Floats) -> Tested:
        """Fit values (N,), test with values (M,).

        kind: binary or number. Values that do not vary teach nothing: the score is chance.
        """
        if np.ptp(train) == 0 or np.ptp(test) == 0:
            return Tested(CHANCE[kind], np.zeros(len(test)))
        with self.threads.limit(limits=1), warnings.catch_warnings():
            # A decoder that is not fitted to the end is tested as it is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self._number(train, test) if kind == "number" else self._binary(train, test)

    def _number(self, train: Floats, test: Floats) -> Tested:
        output = Ridge(alpha=self.penalty).fit(self.train, train).predict(self.test)
        return Tested(float(r2_score(test, output)), output)

    def _binary(self, train: Floats, test: Floats) -> Tested:
        logistic = LogisticRegression(
            C=1 / self.penalty, class_weight="balanced", max_iter=self.iterations
        ).fit(self.train, train)
        output = logistic.predict_proba(self.test)[:, 1]
        return Tested(float(balanced_accuracy_score(test, output > 0.5)), output)
