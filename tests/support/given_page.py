"""An exported page in a real browser, as whoever was given the file has it: without a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from browser import opened
from playwright.sync_api import Browser, Page

from rnnlab.lm.model_folder import weights_of
from rnnlab.lm.stored_network import StoredNetwork
from rnnlab.lm.text_model import TextModel
from rnnlab.report.page.stored_weights import stored_weights

KERNELS = {"WebAssembly": "", "plain JavaScript": "delete window.WebAssembly"}
"""What makes a page use each of them."""


@contextmanager
def given(browser: Browser, file: Path, script: str = "", **settings: Any) -> Iterator[Page]:
    """The page when it is ready; it may log no messages and request nothing but itself.

    script: run before the page's own.
    """
    with opened(browser, file, script=script, offline=True, **settings) as page:
        page.locator("#check.green, #check.red").wait_for()
        yield page


def rounded(model: TextModel, weights: str = "float16") -> TextModel:
    """The model with the weights that a page has."""
    network = model.network
    arrays = stored_weights(weights_of(network), weights).arrays
    stored = StoredNetwork(network.settings, network.vocabulary_size, network.start, arrays)
    return replace(model, network=stored)
