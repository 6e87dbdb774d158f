"""lm-evaluation-harness asks rnnlab serve; its figures are compared with rnnlab's own.

    tests/lm-eval.sh [RUN]          # a run of characters of a running text; default: a small one

Texts by bits per byte, endings by accuracy, and what is written. It needs no network.
"""

import json
import math
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"

import lm_eval
import served
from command_line import made_up_text
from lm_eval.tasks import TaskManager

import rnnlab

served.RNNLAB = Path(__file__).parents[2] / ".venv/bin/rnnlab"
TOLERANCE = 1e-4

TASKS = {
    "rnnlab_texts": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}]
""",
    "rnnlab_endings": """
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_choice: "{{endings}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc}]
""",
    "rnnlab_writing": """
output_type: generate_until
doc_to_text: "{{text}}"
doc_to_target: "{{written}}"
target_delimiter: ""
generation_kwargs: {until: [" the"], max_gen_toks: 40, do_sample: false}
metric_list: [{metric: exact_match}]
""",
}


def write_task(folder: Path, name: str, documents: list[dict[str, Any]]) -> None:
    """Write a task and its documents."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    head = f"task: {name}\ndataset_path: json\ntest_split: test\n"
    data = f"dataset_kwargs: {{data_files: {{test: {file}}}}}\n"
    (folder / f"{name}.yaml").write_text(head + data + TASKS[name])


def own_bits_per_byte(model: rnnlab.TextModel, texts: list[str], folder: Path) -> float:
    """What rnnlab evaluate measures after a line break, which is the first token there."""
    nats = 0.0
    for number, text in enumerate(texts):
        file = folder / f"{number}.txt"
        file.write_text(f"\n{text}", encoding="utf-8")
        records, _ = rnnlab.evaluate(model, [str(file)], contexts=["carried"], baselines=False)
        nats += records[0].nats_per_token * records[0].tokens
    return nats / math.log(2) / sum(len(text.encode()) for text in texts)


def main() -> None:
    """Compare, and exit with 1 if a figure differs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        run = sys.argv[1] if sys.argv[1:] else str(folder / "run")
        if not sys.argv[1:]:
            rnnlab.train(
                text=made_up_text(2_000), run_dir=run, hidden_size=32, embedding_size=8,
                num_epochs=2, ngram_order=3, automatic=False, quiet=True,
            )  # fmt: skip
        model = rnnlab.load(run)
        texts = [made_up_text(100, seed) for seed in (1, 2, 3)]
        starts = [text[:50] for text in texts]
        endings = [[text[50:60], text[51:60], "e" + text[50:60]] for text in texts]
        asked = {"length": 40, "temperature": 0, "stop": [" the", "\n"]}
        written = [model.generate(start, **asked).removeprefix(start) for start in starts]
        write_task(folder, "rnnlab_texts", [{"text": text} for text in texts])
        write_task(
            folder, "rnnlab_endings",
            [{"text": a, "endings": b} for a, b in zip(starts, endings, strict=True)],
        )  # fmt: skip
        write_task(
            folder, "rnnlab_writing",
            [{"text": a, "written": b} for a, b in zip(starts, written, strict=True)],
        )  # fmt: skip
        right = 0
        for start, own in zip(starts, endings, strict=True):
            nats = [model.score(start + ending).nats for ending in own]
            right += nats.index(min(nats)) == 0
        expected = {
            "rnnlab_texts": own_bits_per_byte(model, texts, folder),
            "rnnlab_endings": right / len(starts),
            "rnnlab_writing": 1.0,
        }
        with served.serving(run, environment={}) as server:
            found = lm_eval.simple_evaluate(
                model="local-completions",
                model_args={
                    "base_url": f"{server.url}/v1/completions", "model": Path(run).name,
                    "tokenizer_backend": "remote", "max_length": 1_000_000,
                },
                tasks=list(TASKS), task_manager=TaskManager(include_path=name), bootstrap_iters=0,
            )["results"]  # fmt: skip
        metrics = ("bits_per_byte,none", "acc,none", "exact_match,none")
        values = {task: found[task][metric] for task, metric in zip(TASKS, metrics, strict=True)}
        for task in TASKS:
            print(f"{task:<16} lm-eval {values[task]:.8f}   rnnlab {expected[task]:.8f}")
        sys.exit(any(abs(values[task] - expected[task]) > TOLERANCE for task in TASKS))


if __name__ == "__main__":
    main()
