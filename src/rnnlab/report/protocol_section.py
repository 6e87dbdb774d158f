"""The section "Protocol": how the experiment and its figures were made, on which machine."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rnnlab.config import Settings
from rnnlab.console import counted
from rnnlab.data.copies import COPY, FEW_LINES
from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.plan import NOT_IN_THE_ID
from rnnlab.experiments.records import Records
from rnnlab.report.formatting import assigned, listed, number, setting
from rnnlab.report.protocol_texts import held_out_split, scope_rows, seed_words, text_rows

ProtocolRows = list[tuple[str, str]]
"""(term, description)."""

BUDGETS = {"num_epochs": "epochs", "max_tokens": "tokens", "max_seconds": "seconds"}


def protocol(records: Records, verdicts: Sequence[ClaimVerdict]) -> ProtocolRows:
    """Return what a reader needs to know to judge the figures, and to produce them again."""
    base, settings = records.plan.base, records.plan.settings
    rows = [
        *text_rows(records, _differing),
        ("Held out", _held_out(base) + _differing(records, "validation_context")),
        *([("Copies", copied_words(records))] if records.copies else []),
        (
            "Training perplexity",
            "of the training text, by the network alone, mean over the last complete epoch, with "
            "dropout, while the weights change; it says little about new text",
        ),
        ("Budget of a run", budget(records)),
        *_base_values(records),
        ("Seeds", seed_words(records)),
        *_intervals(records, verdicts),
        *scope_rows(records),
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
    over += ["of comparisons as their tests"] * bool(records.plan.texts)
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
    by_text = {name for text in records.plan.texts for name in text.change}
    values = {name: value for name, value in base.items() if name in varied - {"seed", *by_text}}
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


def _held_out(base: Settings) -> str:
    split = held_out_split(base)
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


def _comparisons(verdicts: Sequence[ClaimVerdict]) -> str:
    compared = {each.settings: each for claim in verdicts for each in claim.compared}
    units = {each.unit for each in compared.values()}
    by = "seed (speed: by round)" if len(units) > 1 else "".join(units)
    if not compared:
        return "none"
    if len(compared) == 1 and all(not each.about for each in compared.values()):
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
