"""Tables of evaluations: a model and its baselines on one text."""

import html
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.table import Table

from rnnlab.console import counted, visible
from rnnlab.data.copies import MANY, Copies
from rnnlab.data.samples import SampleCounts
from rnnlab.display.plain_console import PlainConsole
from rnnlab.lm.baseline_titles import PARTS, baseline_title
from rnnlab.lm.baselines import MIN_CHARACTERS
from rnnlab.lm.code_length import LEAST_CHARACTERS
from rnnlab.lm.evaluate import Evaluation, bits_per_character, perplexity

LARGE = 1e6
"""Larger figures, such as the perplexity of a model that fits nowhere, have three digits."""


class Evaluations(NamedTuple):
    """What `rnnlab.evaluate` returns: records, and notices for people. It is shown as tables."""

    records: list[Evaluation]
    notices: list[str]

    def __repr__(self) -> str:
        written = io.StringIO()
        console = PlainConsole(file=written, highlight=False, width=100)
        for notice in self.notices:
            console.print(f"note: {notice}", markup=False)
        print_evaluations(console, [record.to_dict() for record in self.records])
        return written.getvalue().strip()

    def _repr_html_(self) -> str:
        return as_html(repr(self))


def as_html(text: str) -> str:
    """Return a text for a notebook, line for line."""
    return f"<pre>{html.escape(text)}</pre>"


def print_evaluations(console: PlainConsole, records: Sequence[dict[str, Any]]) -> None:
    """Print a table for each text; in a file its title is one line, however wide the table is."""
    for table in evaluation_tables(records):
        title, table.title = table.title, None
        console.print(title, style="bold", markup=False, soft_wrap=not console.is_terminal)
        console.print(table, soft_wrap=False)  # captions are broken between words


def evaluation_tables(records: Sequence[dict[str, Any]]) -> list[Table]:
    """Return a table for each text: the model under each context rule, then its baselines."""
    return [
        _evaluation_table(list(group))
        for _, group in groupby(records, key=lambda record: (record["corpus"], record["split"]))
    ]


def _evaluation_table(records: Sequence[dict[str, Any]]) -> Table:
    first = records[0]
    title = (
        f"{text_name(first)}: {first['characters']:,} characters, weights: {first['checkpoint']}"
    )
    table = Table(title=title, box=SIMPLE, padding=(0, 1))
    table.add_column(no_wrap=True)
    leads = first.get("leads", {})  # records made before have none
    headings = ["bits/\ncharacter", "nats/\ntoken", "perplexity", *["lead ± 95%"] * bool(leads)]
    for heading in headings:
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    notes = []
    if first["unknown_tokens"]:
        share = first["unknown_characters"] / first["characters"]
        spelling = bits_per_character(first["spelling_nats"], first["characters"])
        notes.append(
            f"<unk> stands for {share:.1%} of the characters; spelling them takes "
            f"{spelling:.3f} of the bits/character."
        )
    if not leads and first["baselines"] and first["characters"] < LEAST_CHARACTERS:
        notes.append(
            f"{counted(first['characters'], 'character')} are too few to say how far chance moves "
            f"these figures: a lead is given from {LEAST_CHARACTERS:,} on."
        )
    if left_out := _left_out(first):
        notes.append(f"Left out, because the text is too short: {', '.join(left_out)}.")
    if leads:
        notes.append(
            f"Lead: by how many bits/character this model, {first['context']}, is ahead, and the "
            "half-width of a 95% interval over the text."
        )
    for record in records:
        if record.get("learns_on") and (found := record["leads"].get("ppmd")):
            notes.append(
                f"Learning on, its lead over {baseline_title('ppmd', {})}, is "
                f"{lead_in_words(found)}."
            )
    table.caption, table.caption_justify = " ".join(notes), "left"
    for record in records:
        table.add_row(
            f"this model, {'learning on' if record.get('learns_on') else record['context']}",
            f"{record['bits_per_character']:.3f}",
            f"{record['nats_per_token']:.4f}",
            number(record["perplexity"]),
            style="bold",
        )
        for name, part in record.get("parts", {}).items():
            table.add_row(
                f"  its {PARTS[name]} alone",
                f"{part['bits_per_character']:.3f}",
                f"{part['nats_per_token']:.4f}",
                number(perplexity(part["nats_per_token"])),
            )
    for name, baseline in first["baselines"].items():
        # The other two units are those of the model's targets; only codes can be compared.
        row = [baseline_title(name, baseline), f"{baseline['bits_per_character']:.3f}", "", ""]
        if name in leads:
            row.append(lead_in_words(leads[name]))
        table.add_row(*row)
    return table


def _left_out(record: Mapping[str, Any]) -> list[str]:
    """Return the baselines that need a longer text, from how many characters on."""
    if not record["baselines"]:
        return []
    return [
        f"{baseline_title(name, {})} (from {least:,} characters on)"
        for name, least in MIN_CHARACTERS.items()
        if record["characters"] < least and name not in record["baselines"]
    ]


def mixture_notes(records: Sequence[dict[str, Any]]) -> list[str]:
    """Say where a model is worse than its network or its n-gram model alone, as it is shown."""
    notes = []
    for record in records:
        both = record["bits_per_character"]
        for name, part in record.get("parts", {}).items():
            better_by = round(both - part["bits_per_character"], 3)
            if record["context"] == "carried" and better_by > 0:
                notes.append(
                    f"{record['split']}: the {PARTS[name]} alone is better by {better_by:.3f} "
                    "bits/character; another --ngram-order, or 0, may be better"
                )
    return notes


def copies_notes(copies: Mapping[str, Copies]) -> list[str]:
    """Warn of held-out splits of which so much is copied that it decides their figures."""
    deciding = {name: found for name, found in copies.items() if found.decide}
    by_lines = [name for name, found in deciding.items() if found.copied_share < MANY]
    why = "figures show what was learned by heart; hold out"
    notes = []
    if long := [name for name in deciding if name not in by_lines]:
        notes.append(
            f"much of the {' and the '.join(long)} split is copied from the training text: its "
            f"{why} text that occurs once"
        )
    if by_lines:
        shares = [f"{copies[name].duplicate_share:.0%} of the {name} split" for name in by_lines]
        notes.append(
            f"lines that are also lines of the training text: {', '.join(shares)}; its {why} lines "
            "that occur once"
        )
    return notes


def forgetting_note(start: Mapping[str, Any]) -> str:
    """Say what has become of the model that training started from; "" if it is not known."""
    if "bits_per_character_after" not in start:
        return ""
    before, after = (start[f"bits_per_character_{when}"] for when in ("before", "after"))
    return (
        f"on the held-out text of the model that it started from: {before:.3f} bits/character "
        f"before, {after:.3f} now"
    )


def samples_words(samples: SampleCounts, unit: str) -> str:
    """Say how many samples each split has, and how many of them are alike."""
    words = ", ".join(f"{name} {count:,}" for name, count in samples.counts.items() if count)
    if samples.left_out:
        words += f"; {samples.left_out:,} held-out ones that came before are left out"
    elif samples.repeated:
        words += f"; {samples.repeated:,} repeat an earlier one, equal ones are in one split"
    if samples.also_held_out:
        words += (
            f"; {samples.also_held_out:,} of the corpus left out, since held-out texts have them"
        )
    if samples.also_in_test:
        words += f"; {samples.also_in_test:,} for validation left out, since the test text has them"
    return f"{unit}: {words}"


def text_name(record: dict[str, Any]) -> str:
    """Return the name of the text that was evaluated, and of the split if it is one."""
    corpus = "standard input" if record["corpus"] == "-" else visible(record["corpus"])
    return corpus if record["split"] == "all" else f"{corpus}, {record['split']}"


def lead_in_words(lead: dict[str, float]) -> str:
    """Return a lead and the half-width of its interval."""
    return f"{lead['bits_per_character']:+.3f} ± {(lead['high'] - lead['low']) / 2:.3f}"


def number(value: float | None) -> str:
    """Format a figure of a record, in which None stands for infinite."""
    if value is None:
        return "infinite"
    return f"{value:.3f}" if value < LARGE else f"{value:.3g}"
