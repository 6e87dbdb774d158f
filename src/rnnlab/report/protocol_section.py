"""The section "Protocol": how the experiment and its figures were made, on which machine."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnlab.config import Settings
from rnnlab.console import counted
from rnnlab.data.copies import COPY, FEW_LINES
from rnnlab.data.splits import SPLITS, is_held_out, parts_of_divided
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.plan import NOT_IN_THE_ID
from rnnlab.experiments.records import Records
from rnnlab.report.formatting import assigned, listed, number, setting, span

ProtocolRows = list[tuple[str, str]]
"""(term, description)."""

TEXT_SETTINGS = (
    "corpus", "preprocessing", "corpus_limit", "tokenizer", "vocabulary", "min_frequency",
    "max_vocabulary", "bpe_size", "canaries",
)  # fmt: skip

BUDGETS = {"num_epochs": "epochs", "max_tokens": "tokens", "max_seconds": "seconds"}


def protocol(records: Records, verdicts: Sequence[ClaimVerdict]) -> ProtocolRows:
    """Return what a reader needs to know to judge the figures, and to produce them again."""
    base, settings = records.plan.base, records.plan.settings
    rows = [
        ("Text", _text(base) + _differing(records, *TEXT_SETTINGS) + _checksums(records)),
        ("Split", _split(base) + _differing(records, "split") + _sizes(records)),
        ("Held out", _held_out(base) + _differing(records, "validation_context")),
        *([("Copies", copied_words(records))] if records.copies else []),
        (
            "Training perplexity",
            "of the training text, by the network alone, mean over the last complete epoch, with "
            "dropout, while the weights change; it says little about new text",
        ),
        ("Budget of a run", budget(records)),
        *_base_values(records),
        ("Seeds", f"{span(settings.seeds)}, the same for every variant"),
        *_intervals(records, verdicts),
        ("One text", _one_text(records)),
        ("Comparisons", _comparisons(verdicts)),
        ("Speed", _speed(records)),
    ]
    if settings.phrases:
        count = counted(len(settings.phrases), "phrase")
        rows.append((
            "Prediction",
            f"{count}, each continued by {counted(settings.phrase_length, 'token')}, always the "
            "likeliest, with the last weights",
        ))  # fmt: skip
    if settings.gradient_flow:
        rows.append((
            "Gradient over 30 steps",
            "decades between the norms of dL(T)/dh(T−31) and dL(T)/dh(T−1), 0 if the gradient "
            "neither vanishes nor explodes; the plots of gradient flow show which of the two. With "
            "respect to h alone: c, which an LSTM passes on as well, is held fixed",
        ))  # fmt: skip
    rows += [("Reported figures", settings.source)] if settings.source else []
    rows += [("Note", settings.note)] if settings.note else []
    return rows


def machine(records: Records) -> ProtocolRows:
    """Return where the runs, and separate timings, were made: processor, versions, dates."""
    rows = _environment([run.environment for run in records.runs if run.environment])
    if records.timing_environment:
        timing = [row for row in _environment([records.timing_environment]) if row not in rows]
        rows += [(f"{term}, speed", value) for term, value in timing]
    return rows


def base_settings(records: Records) -> list[tuple[str, str, bool]]:
    """Return settings that all runs share: name, value, whether the experiment's file names it."""
    plan, varied = records.plan, varied_settings(records)
    shared = plan.runs[0].settings if plan.runs else plan.base
    return [
        (name, setting(value), name in plan.settings.base)
        for name, value in shared.flat().items()
        if name not in ("seed", *varied, *NOT_IN_THE_ID)
    ]


def varied_settings(records: Records) -> set[str]:
    """Return the names of the settings that differ between runs, or that a search may change."""
    search, runs = records.plan.settings.search, [run.settings for run in records.plan.runs]
    names = set(search.settings) if search else set()
    first = runs[0].flat() if runs else {}
    for run in runs:
        names |= {name for name, value in run.flat().items() if value != first[name]}
    return names


def _intervals(records: Records, verdicts: Sequence[ClaimVerdict]) -> ProtocolRows:
    """Return what intervals are of; nothing if there are none."""
    over = ["over seeds"] * (len(records.plan.settings.seeds) > 1)
    over += ["of speed over rounds"] * records.timed_separately
    if not over:
        return []
    corrected = (
        ". Each interval is uncorrected: it may exclude equality although the verdict, corrected "
        "for all comparisons, is that no difference is shown"
    )
    return [(
        "Intervals",
        f"95% t intervals {listed(over)}; of logarithms if values are compared by their ratio, so "
        f"that the mean is geometric{corrected if verdicts else ''}",
    )]  # fmt: skip


def _base_values(records: Records) -> ProtocolRows:
    """Return the values of settings that vary, for the variants that leave them as they are."""
    varied, base = varied_settings(records), records.plan.base.flat()
    values = {name: value for name, value in base.items() if name in varied - {"seed"}}
    return [("Unless changed", assigned(values))] if values else []


def _differing(records: Records, *names: str) -> str:
    """Say in which of these settings variants differ from what is described; "" if in none."""
    varied = [name for name in names if name in varied_settings(records)]
    return f"; variants differ in {listed(varied)}" if varied else ""


def budget(records: Records) -> str:
    """Return how long a run is."""
    plan = records.plan
    given = plan.base.flat()
    limits = [
        f"{number(given[name], 0)} {unit if given[name] != 1 else unit.removesuffix('s')}"
        for name, unit in BUDGETS.items()
        if given[name]
    ]
    words = f"{' or '.join(limits)}{', whichever is first' if limits[1:] else ''}"
    changed = [v.name for v in plan.variants if not BUDGETS.keys().isdisjoint(v.change)]
    others = f"a different budget: {listed(changed)}" if changed else ""
    return "; ".join(filter(None, (words, others)))


def _text(base: Settings) -> str:
    data = base.data
    parts = [f"{listed(data.corpus)}, preprocessing {data.preprocessing}"]
    parts += [f"{split} split {listed(names)}" for split, names in data.held_out_names.items()]
    if data.corpus_limit:
        unit = "characters" if data.tokenizer == "bpe" else "tokens"
        unit = data.unit if data.of_samples else unit
        parts.append(f"the first {data.corpus_limit:,} {unit}")
    if data.canaries:
        parts.append(f"{counted(data.canaries, 'random code')} put into the training split")
    source = "training split" if data.vocabulary == "train" else "whole text"
    parts.append(f"{data.tokenizer} tokens, vocabulary of the {source}")
    return "; ".join(parts)


def _checksums(records: Records) -> str:
    found = {run.data.get("corpus_sha256") for run in records.runs} - {None, ""}
    return f"; SHA-256 {listed(sorted(map(str, found)))}" if found else ""


def _split(base: Settings) -> str:
    data = base.data
    parts = parts_of_divided(data.split, data.held_out_names)
    of: str = data.unit
    if sum(parts) > 1 + 1e-6:
        sizes = [f"{int(part):,}" for part in parts]
        unit = of if data.of_samples else "characters"
    else:
        sizes, unit = [f"{100 * part:.4g}" for part in parts], f"percent of the {of}"
    how = "contiguous"
    if data.of_samples:
        how = f"{of} in the order of the file, held-out ones that came before left out"
        if data.split_order == "shuffled":
            how = f"{of} shuffled (split_seed {data.split_seed}), equal ones in one part"
    named = zip(SPLITS, ("training", *SPLITS[1:]), sizes, strict=True)
    cut = [f"{name} {size}" for split, name, size in named if split not in data.held_out_names]
    own = [f"; {split}: a text of its own" for split in data.held_out_names]
    return f"{how}, {', '.join(cut)} {unit}{''.join(own)}"


def _sizes(records: Records) -> str:
    """Return the tokens of each split, if all runs have the same."""
    found = {tuple(run.data.get("tokens", {}).items()) for run in records.runs} - {()}
    if len(found) != 1:
        return ""
    (sizes,) = found
    return f"; in tokens: {listed([f'{name} {size:,}' for name, size in sizes])}"


def _held_out_split(base: Settings) -> str:
    """Return which split held-out figures are of; empty if nothing is held out."""
    validation, test = (is_held_out(base.data, split) for split in SPLITS[1:])
    return "test" if test else "validation" if validation else ""


def _held_out(base: Settings) -> str:
    split = _held_out_split(base)
    if not split:
        return "nothing: all figures are of the training text"
    state = "with the state carried through all of it from zero"
    if base.data.of_samples:
        state = f"each of the {base.data.unit} from a state of zero"
    return (
        f"bits per character of the {split} split, {state}; curves: of the validation split, "
        f"context {base.validation_context}. Best weights are those with the lowest loss "
        "on the validation split, last weights those at the end"
    )


def copied_words(records: Records) -> str:
    """Say how much of the held-out text is copied from the training text; "" if it is not known."""
    if not records.copies:
        return ""
    shares = _range([copies.copied_share for copies in records.copies])
    lines = [copies.duplicate_share for copies in records.copies if copies.lines >= FEW_LINES]
    more = f", and {_range(lines)} of its lines are lines of it" if lines else ""
    return (
        f"{shares} of the characters of the held-out text are in copies from the training text, "
        f"{COPY} characters or longer{more}"
    )


def _range(shares: Sequence[float]) -> str:
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return low if low == high else f"{low} to {high}"


def _one_text(records: Records) -> str:
    """Return what the spread over seeds does not cover."""
    split = _held_out_split(records.plan.base)
    what = f"one {split or 'training'} text"
    sizes = {run.data.get("tokens", {}).get(split or "train") for run in records.runs if run.data}
    if len(sizes) == 1 and (size := sizes.pop()):
        what += f" of {size:,} tokens"
    return (
        f"all held-out figures are of {what}; intervals and verdicts over seeds say nothing about "
        "other texts, or how much the figures depend on the choice of this one"
    )


def _comparisons(verdicts: Sequence[ClaimVerdict]) -> str:
    compared = {each.settings: each for claim in verdicts for each in claim.compared}
    units = {each.unit for each in compared.values()}
    by = "seed (speed: by round)" if len(units) > 1 else "".join(units)
    if not compared:
        return "none"
    if len(compared) == 1:
        return f"paired by {by}, a t test at the 5% level"
    return (
        f"paired by {by}, t tests at the 5% level; p values are corrected for all "
        f"{len(compared):,} comparisons of the experiment together (Holm)"
    )


def _speed(records: Records) -> str:
    if not records.plan.settings.timing:
        return "as measured by the runs themselves, whatever else the machine was doing"
    if not records.timings:
        return "not measured yet; it is measured separately, when all runs have ended"
    return (
        "measured separately, after the runs: variants take turns, one at a time, for "
        f"{counted(len(records.rounds), 'round')} in one process. Comparable on this machine at "
        "this time only; a new process may differ by more than the intervals say"
    )


def _environment(environments: Sequence[Mapping[str, Any]]) -> ProtocolRows:
    """Describe environments; values that differ are listed with how many runs had them."""
    described = {
        "Processor": [_processor(e) for e in environments],
        "GPU": [str(e.get("gpu") or "") for e in environments],
        "Threads per run": [str(e.get("threads") or "") for e in environments],
        "System": [str(e.get("platform") or "") for e in environments],
        "Versions": [_versions(e) for e in environments],
        "Commit": [str(e.get("commit") or "") for e in environments],
    }
    rows = [(term, _distinct(values)) for term, values in described.items() if any(values)]
    days = sorted({str(e["date"])[:10] for e in environments if e.get("date")})
    if days:
        rows.append(("Date", days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"))
    return rows


def _processor(environment: Mapping[str, Any]) -> str:
    cores = environment.get("cores")
    count = counted(cores, "core") if cores else ""
    parts = (environment.get("cpu"), count, environment.get("cpu_capability"))
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
