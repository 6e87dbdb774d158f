"""A model as one readable Python file of plain `torch.nn`, with its weights and vocabulary.

The file is put together from the parts that the model needs, so that nothing in it is unused.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from safetensors.numpy import save

from rnnlab import __version__
from rnnlab.cells import short_name
from rnnlab.data.labelled_tokenizer import LabelledTokenizer
from rnnlab.data.tokenizer import RunsOfLettersTokenizer, Tokenizer, WordTokenizer
from rnnlab.data.word_tokenizers import RUNS_OF_LETTERS, UNICODE_WORDS
from rnnlab.errors import UsageError
from rnnlab.files import write_atomically, write_json
from rnnlab.lm.stored_network import StoredNetwork

PROGRAM, WEIGHTS, TOKENIZER = "model.py", "model.safetensors", "tokenizer.json"

MODULES = {
    "rnn": "nn.RNN({sizes})",
    "rnn-relu": 'nn.RNN({sizes}, nonlinearity="relu")',
    "gru": "nn.GRU({sizes})",
    "lstm": "nn.LSTM({sizes})",
}

HEAD = '''\
"""A language model of rnnlab {version}, in plain PyTorch; `python {program} --help` writes with it.

In a program of your own: `from model import load`, and `load()` is the module.

Left out of `Model`:
{left_out}

Legend: T time steps, B batch, L layers, H hidden size, V vocabulary size.
"""

import argparse
{imports}
import torch
from safetensors.torch import load_file
{tokenizers}from torch import Tensor, nn

FOLDER = Path(__file__).parent

'''

MODULE = '''

class Model(nn.Module):
    """Token ids (T, B) and a state become logits (T, B, V) and the next state."""

    def __init__(self) -> None:
        super().__init__()
{layers}

    def forward(self, ids: Tensor, state=None):
        """Without a state the model begins with zeros, (L, B, H) each."""
        features, state = self.recurrent({inputs}, state)
        return self.output(features), state


def load() -> Model:
    """Return the module with its weights."""
    model = Model()
    weights = load_file(FOLDER / "{weights}")
{tying}    model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def generate(model: Model, ids: list[int], length: int, temperature: float) -> list[int]:
    """Return `length` ids that continue `ids`, each drawn from the model's distribution."""
    written, state = [], None
    unread = ids
    for _ in range(length):
        logits, state = model(torch.tensor(unread)[:, None], state)
        last = logits[-1, 0]
{forbid}        if temperature:
            token = int(torch.multinomial(torch.softmax(last / temperature, 0), 1))
        else:
            token = int(last.argmax())
        written.append(token)
        unread = [token]
{reset}    return written


def main() -> None:
    """Print a prefix and what the model writes after it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("prefix", nargs="?", default="")
    parser.add_argument("--length", type=int, default=200, help="tokens to write")
    parser.add_argument("--temperature", type=float, default=1.0, help="0: always the likeliest")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    ids = {first}
    print(given.prefix + decode(generate(load(), ids, given.length, given.temperature)))


if __name__ == "__main__":
    main()
'''

FROM_FILE = """\
VOCABULARY = json.loads((FOLDER / "{file}").read_text(encoding="utf-8"))
"""

OF_TOKENS = '''\
TOKENS = ["<unk>", *VOCABULARY{path}]
IDS = {{token: i for i, token in enumerate(TOKENS)}}


def encode(text: str) -> list[int]:
    """Return the ids of a text; 0 stands for what is not in the vocabulary."""
    return [IDS.get(token, 0) for token in {cut}]


def decode(ids: list[int]) -> str:
    """Return the text of ids."""
    return "".join(TOKENS[i] for i in ids)
'''

OF_BYTES = '''\

def encode(text: str) -> list[int]:
    """Return the bytes of a text in UTF-8."""
    return list(text.encode())


def decode(ids: list[int]) -> str:
    """Return the text of ids."""
    return bytes(ids).decode("utf-8", "replace")
'''

OF_MERGES = '''\
MERGES = Tokenizer.from_str(VOCABULARY{path})


def encode(text: str) -> list[int]:
    """Return the ids of a text, line by line."""
    return [i for line in text.splitlines(keepends=True) for i in MERGES.encode(line).ids]


def decode(ids: list[int]) -> str:
    """Return the text of ids."""
    return str(MERGES.decode(ids))
'''

WITH_LABELS = '''

V = {V}  # the ids of labels are from here on
LABELS = list(VOCABULARY["labels"])
decode_text = decode


def decode(ids: list[int]) -> str:
    """Return the text of ids; a label is its name and a tab."""
    parts = []
    for is_label, run in groupby(ids, lambda i: i >= V):
        parts += [f"{{LABELS[i - V]}}\\t" for i in run] if is_label else [decode_text(list(run))]
    return "".join(parts)
'''


def write_torch_module(
    folder: Path, network: StoredNetwork, tokenizer: Tokenizer, left_out: list[str]
) -> None:
    """Write the program, its weights and its vocabulary into a folder."""
    program = program_of(network, tokenizer, left_out)
    write_atomically(folder / WEIGHTS, save(dict(network.arrays), {"format": "pt"}))
    write_json(folder / TOKENIZER, tokenizer.to_json())
    write_atomically(folder / PROGRAM, program.encode())


def program_of(network: StoredNetwork, tokenizer: Tokenizer, left_out: list[str]) -> str:
    """Return the program of a model; raise UsageError for a cell that torch.nn lacks."""
    if network.settings.cell not in MODULES:
        raise UsageError(
            f"torch.nn has no module for the cell {short_name(network.settings.cell)!r}; it has "
            f"some for {', '.join(MODULES)}"
        )
    settings, V, start = network.settings, network.vocabulary_size, network.start
    inside = tokenizer.inside if isinstance(tokenizer, LabelledTokenizer) else tokenizer
    has_labels = inside is not tokenizer
    reading = _reading(inside, '["tokenizer"]' if has_labels else "")
    if has_labels:
        reading += WITH_LABELS.format(V=inside.size)
    if has_labels or inside.kind != "byte":
        gap = "\n" if inside.kind == "byte" else ""
        reading = FROM_FILE.format(file=TOKENIZER) + gap + reading
    one_hot = settings.input == "one-hot"
    begin = tokenizer.start_ids().tolist() if start is None else [start]
    forbid = "" if tokenizer.unknown_id is None else f"last[{tokenizer.unknown_id}] = -torch.inf"
    reset = "" if start is None else f"if token == {start}:  # the next sample begins\n"
    head = HEAD.format(
        version=__version__, program=PROGRAM, imports="\n".join(_imports(inside, has_labels)),
        tokenizers="from tokenizers import Tokenizer\n" if inside.kind == "bpe" else "",
        left_out="\n".join(f"- {sentence}" for sentence in left_out),
    )  # fmt: skip
    return (
        head
        + reading
        + MODULE.format(
            layers="\n".join(f"{' ' * 8}self.{line}" for line in _layers(network)),
            inputs=f"nn.functional.one_hot(ids, {V}).float()" if one_hot else "self.embedding(ids)",
            weights=WEIGHTS,
            tying='    weights["output.weight"] = weights["embedding.weight"]\n'
            if settings.tie_weights
            else "",
            forbid=f"{' ' * 8}{forbid}  # <unk>\n" if forbid else "",
            reset=f"{' ' * 8}{reset}{' ' * 12}state = None\n" if reset else "",
            first=f"encode(given.prefix) or {begin}"
            if start is None
            else f"{begin} + encode(given.prefix)",
        )
    )


def _imports(inside: Tokenizer, has_labels: bool) -> Iterator[str]:
    if inside.kind != "byte" or has_labels:
        yield "import json"
    if isinstance(inside, RunsOfLettersTokenizer):
        yield "import re"
    if has_labels:
        yield "from itertools import groupby"
    yield "from pathlib import Path\n"
    if isinstance(inside, WordTokenizer) and not isinstance(inside, RunsOfLettersTokenizer):
        yield "import regex"


def _reading(inside: Tokenizer, path: str) -> str:
    """Return the functions encode and decode; path: where the tokenizer is in its file."""
    match inside.kind:
        case "char":
            return OF_TOKENS.format(path=f'{path}["characters"]', cut="text")
        case "byte":
            return OF_BYTES
        case "word":
            # The two libraries do not agree on what a letter is.
            library, pattern = "regex", UNICODE_WORDS
            if isinstance(inside, RunsOfLettersTokenizer):
                library, pattern = "re", RUNS_OF_LETTERS.pattern
            cut = f"{library}.findall(WORDS, text)"
            tokens = OF_TOKENS.format(path=f'{path}["words"]', cut=cut)
            return f"WORDS = {json.dumps(pattern)}\n{tokens}"
        case _:
            return OF_MERGES.format(path=f'{path}["tokenizers"]')


def _layers(network: StoredNetwork) -> Iterator[str]:
    settings, V = network.settings, network.vocabulary_size
    H, L = settings.hidden_size, settings.num_layers
    width = V
    if settings.input == "embedding":
        width = settings.embedding_size
        yield f"embedding = nn.Embedding({V}, {width})"
    sizes = f"{width}, {H}" + (f", num_layers={L}" if L > 1 else "")
    yield f"recurrent = {MODULES[settings.cell].format(sizes=sizes)}"
    yield f"output = nn.Linear({H}, {V})"
    if settings.tie_weights:
        yield "output.weight = self.embedding.weight"
