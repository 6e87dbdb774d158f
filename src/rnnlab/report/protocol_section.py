"""What a reader must know to believe the figures, and to make them again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnlab.config import Settings
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.plan import NOT_IN_THE_ID
from rnnlab.experiments.records import Records
from rnnlab.report.formatting import counted, listed, number, setting, span

ProtocolRows = list[tuple[str, str]]
"""Term and what there is to say of it."""

BUDGETS = {"num_epochs": "epochs", "max_tokens": "tokens", "max_seconds": "seconds"}


def protocol(records: Records, verdicts: Sequence[ClaimVerdict]) -> ProtocolRows:
    """How the experiment was made."""
    plan = records.plan
    base, settings = plan.base, plan.settings
    facts = [
        ("Text", _text(base) + _checksums(records)),
        ("Split", _split(base) + _sizes(records)),
        ("Held out", _held_out(base)),
        (
            "Training perplexity",
            "of the text trained on, mean over the last complete epoch, dropout on, while the "
            "weights change; it says little about new text",
        ),
        ("Budget of a run", budget(records)),
        ("Seeds", f"{span(settings.seeds)}, the same for every variant"),
        (
            "Intervals",
            "95% t intervals over seeds"
            f"{', of speed over rounds' if records.timed_separately else ''}; "
            "where two values are compared by their ratio, of the logarithms, so that the mean is "
            "geometric. Each stands by itself, uncorrected: it may exclude that there is no "
            "difference where the verdict, corrected for all comparisons, is that none is shown",
        ),
        ("One text", _one_text(records)),
        ("Comparisons", _comparisons(verdicts)),
        ("Speed", _speed(records)),
    ]
    if settings.phrases:
        words = f"{counted(len(settings.phrases), 'phrase')}, each continued by "
        words += f"{settings.phrase_length:,} tokens, always the likeliest, by the last weights"
        facts.append(("Prediction", words))
    if settings.gradient_flow:
        words = (
            "decades between the norms of dL(T)/dh(T−31) and dL(T)/dh(T−1), 0 where the gradient "
            "neither vanishes nor explodes; the plots of gradient flow show which of the two. By h "
            "alone: c, which an LSTM hands on beside it, is held fixed"
        )
        facts.append(("Gradient over 30 steps", words))
    if settings.source:
        facts.append(("Reported figures", settings.source))
    if settings.note:
        facts.append(("Note", settings.note))
    return facts


def machine(records: Records) -> ProtocolRows:
    """Where it was computed: processor, versions, commit, dates."""
    runs = [run.environment for run in records.runs if run.environment]
    facts = _environment(runs)
    if records.timing_environment:
        for term, value in _environment([records.timing_environment]):
            if (term, value) not in facts:
                facts.append((f"{term}, speed", value))
    return facts


def base_settings(records: Records) -> list[tuple[str, str, bool]]:
    """All settings that runs share: name, value, and whether the experiment's file names it."""
    flat = records.plan.base.flat()
    named = set(records.plan.settings.base)
    return [
        (name, setting(value), name in named)
        for name, value in flat.items()
        if name not in ("seed", *NOT_IN_THE_ID)
    ]


def _text(base: Settings) -> str:
    data = base.data
    parts = [f"{listed(data.corpus)}, preprocessing {data.preprocessing}"]
    if data.corpus_limit:
        unit = "characters" if data.tokenizer == "bpe" else "tokens"
        parts.append(f"the first {data.corpus_limit:,} {unit}")
    source = "training split" if data.vocabulary == "train" else "whole text"
    parts.append(f"{data.tokenizer} tokens, vocabulary of the {source}")
    return "; ".join(parts)


def _split(base: Settings) -> str:
    parts = base.data.split
    if sum(parts) > 1 + 1e-6:
        sizes = [f"{int(part):,}" for part in parts]
        unit = "characters"
    else:
        sizes = [f"{part:.4g}" for part in (100 * part for part in parts)]
        unit = "per cent of the text"
    return f"contiguous, training {sizes[0]}, validation {sizes[1]}, test {sizes[2]} {unit}"


def _checksums(records: Records) -> str:
    found = {run.data.get("corpus_sha256") for run in records.runs} - {None, ""}
    return f"; SHA-256 {listed(sorted(map(str, found)))}" if found else ""


def _sizes(records: Records) -> str:
    """Tokens a split, where all runs have the same."""
    found = {tuple(run.data.get("tokens", {}).items()) for run in records.runs} - {()}
    if len(found) != 1:
        return ""
    (sizes,) = found
    return f"; in tokens: {listed([f'{name} {size:,}' for name, size in sizes])}"


def _held_out_split(base: Settings) -> str:
    """The split that held-out figures are of; empty where nothing is held out."""
    _, validation, test = base.data.split
    return "test" if test else "validation" if validation else ""


def _held_out(base: Settings) -> str:
    split = _held_out_split(base)
    if not split:
        return "nothing: all figures are of the text trained on"
    context = base.training.validation_context
    return (
        f"bits per character of the {split} split, from a zero state carried through all of it; "
        f"curves: of the validation split, context {context}. Best weights are those with the "
        "lowest loss on the validation split, last weights those at the end"
    )


def budget(records: Records) -> str:
    """How long a run is."""
    plan = records.plan
    given = plan.base.flat()
    limits = [f"{number(given[name], 0)} {unit}" for name, unit in BUDGETS.items() if given[name]]
    changed = [v.name for v in plan.variants if not BUDGETS.keys().isdisjoint(v.change)]
    words = f"{' or '.join(limits)}{', whichever is first' if limits[1:] else ''}"
    others = f"own budget: {listed(changed)}" if changed else ""
    return "; ".join(filter(None, (words, others)))


def _comparisons(verdicts: Sequence[ClaimVerdict]) -> str:
    compared = {each.settings: each for claim in verdicts for each in claim.compared}
    count = len(compared)
    units = {each.unit for each in compared.values()}
    by = "seed (speed: by round)" if len(units) > 1 else "".join(units)
    if not count:
        return "none"
    return (
        f"paired by {by}, t tests at the 5% level; p values are corrected for all "
        f"{counted(count, 'comparison')} of the experiment together (Holm)"
        if count > 1
        else f"paired by {by}, a t test at the 5% level"
    )


def _one_text(records: Records) -> str:
    """What a spread over seeds does not hold: that of the text."""
    split = _held_out_split(records.plan.base)
    what = f"one and the same {split or 'training'} text"
    sizes = {run.data.get("tokens", {}).get(split or "train") for run in records.runs if run.data}
    if len(sizes) == 1 and (size := sizes.pop()):
        what += f" of {size:,} tokens"
    return (
        f"held-out figures are all of {what}; intervals and verdicts over seeds say nothing of "
        "other texts, nor of how much the figures owe to the choice of this one"
    )


def _speed(records: Records) -> str:
    timing = records.plan.settings.timing
    if timing and records.timings:
        rounds = len(records.rounds)
        return (
            f"measured apart, after the runs: variants in turns, one at a time, "
            f"{counted(rounds, 'round')} of one process; comparable on this machine at this time "
            "only, and another start may differ by more than the intervals say"
        )
    if timing:
        return "not measured yet; that is done apart, when all runs have ended"
    return "as the runs met it themselves, whatever else the machine was doing; not measured apart"


def _environment(environments: Sequence[Mapping[str, Any]]) -> ProtocolRows:
    """Terms of several environments; where they differ, each value with how many runs had it."""
    if not environments:
        return []
    described = {
        "Processor": [_processor(e) for e in environments],
        "GPU": [str(e["gpu"]) if e.get("gpu") else "" for e in environments],
        "Threads a run": [str(e.get("threads") or "") for e in environments],
        "System": [str(e.get("platform") or "") for e in environments],
        "Versions": [_versions(e) for e in environments],
        "Commit": [str(e.get("commit") or "") for e in environments],
    }
    facts = [(term, _distinct(values)) for term, values in described.items() if any(values)]
    days = sorted(str(e["date"])[:10] for e in environments if e.get("date"))
    if days:
        dates = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
        facts.append(("Date", dates))
    return facts


def _processor(environment: Mapping[str, Any]) -> str:
    cores = environment.get("cores")
    parts = (
        environment.get("cpu"),
        counted(cores, "core") if cores else "",
        environment.get("cpu_capability"),
    )
    return ", ".join(str(part) for part in parts if part)


def _versions(environment: Mapping[str, Any]) -> str:
    names = ("rnnlab", "python", "torch", "numpy", "tokenizers")
    return ", ".join(f"{name} {environment[name]}" for name in names if environment.get(name))


def _distinct(values: Iterable[str]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(
        f"{value or 'none'} ({counted(count, 'run')})" for value, count in counts.most_common()
    )
