"""The finding of one rule, and the diagnosis that all of them make."""

import html
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from rnnlab.runs.loading import BUDGETS

NOTHING_LOOKED_FOR = "nothing could be looked for"


class MissingEvidence(Exception):
    """A rule cannot be applied to this run; the message says which evidence is missing and why."""


@dataclass(frozen=True)
class Finding:
    """One illness, its evidence, and what to try."""

    illness: str
    """Its name in `RULES` and docs/reference/doctor.md."""
    title: str
    """The illness in this run, such as "overfitting since step 400"."""
    evidence: tuple[str, ...]
    advice: tuple[str, ...]
    """What to try, most promising first, each with the flag and a value."""


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `rnnlab doctor` reports on a run."""

    run: str
    state: str
    """How far the run got, and what ended it."""
    findings: tuple[Finding, ...]
    looked_at: tuple[str, ...]
    """Illnesses that were looked for."""
    not_asked: dict[str, str]
    """Illnesses that could not be looked for, and why."""
    notices: tuple[str, ...] = ()
    """What is not known about the files of the run."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found among the illnesses that were looked for."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and `healthy`, ready for JSON."""
        return {"healthy": self.healthy, **asdict(self)}

    def in_brief(self) -> tuple[str, str]:
        """Return it in two lines: what was found, and what to try first or where to read more."""
        more = f"rnnlab doctor {self.run}"
        if self.findings:
            found = "; ".join(each.title for each in self.findings)
            # The two most important findings; the reasons are left to the full report.
            firsts = [each.advice[0].partition(": ")[0] for each in self.findings[:2]]
            advice = "; then ".join(map(_with_place, dict.fromkeys(firsts)))
            return found, f"try {advice}; more: {more}"
        number, all_rules = len(self.looked_at), len(self.looked_at) + len(self.not_asked)
        found = f"healthy: {number} illnesses were looked for, none was found"
        if self.not_asked:
            found = (
                f"nothing was found, but only {number} of {all_rules} illnesses could be looked for"
            )
        return found, f"what was looked for, and what was left out: {more}"

    def sections(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return it in words: (title, lines), each line with a heading that may be empty."""
        about = [("run", self.run), ("state", self.state), *_listed("note", self.notices)]
        findings = [
            (
                found.title,
                [
                    *_listed("evidence", found.evidence),
                    *_listed("try", map(_with_place, found.advice)),
                ],
            )
            for found in self.findings
        ]
        if self.healthy:
            words = "healthy: none of these illnesses was found"
            findings = [(words if self.looked_at else NOTHING_LOOKED_FOR, [])]
        left_out = groupby(self.not_asked.items(), key=lambda item: item[1])
        lines = [f"{', '.join(name for name, _ in group)}: {why}" for why, group in left_out]
        looked_for = ", ".join(self.looked_at) or "nothing"
        extent = [("looked for", looked_for), *_listed("left out", lines)]
        return [("", about), *findings, ("", extent)]

    def __repr__(self) -> str:
        parts = [
            "\n".join(filter(None, [title, *(f"{heading:<12}{words}" for heading, words in lines)]))
            for title, lines in self.sections()
        ]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def _with_place(advice: str) -> str:
    """Say of advice in flags whether it needs a new run; only a larger budget resumes this one."""
    if not advice.startswith("--"):
        return advice
    name = advice.removeprefix("--").partition(" ")[0].replace("-", "_")
    return f"{'with --resume' if name in BUDGETS else 'in a new run'} {advice}"


def _listed(heading: str, lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return lines of which only the first has the heading."""
    return [("" if number else heading, line) for number, line in enumerate(lines)]
