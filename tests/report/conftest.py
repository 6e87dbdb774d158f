"""A report with every section, written once."""

from pathlib import Path

import pytest
from made_up_records import made_up_records

from rnnlab.experiments.comparison import ClaimVerdict
from rnnlab.experiments.records import Records
from rnnlab.experiments.verdicts import judge_claims
from rnnlab.report.pages import write_report


@pytest.fixture(scope="session")
def records() -> Records:
    return made_up_records()


@pytest.fixture(scope="session")
def verdicts(records: Records) -> list[ClaimVerdict]:
    return judge_claims(records)


@pytest.fixture(scope="session")
def written(
    records: Records, verdicts: list[ClaimVerdict], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    return write_report(records, verdicts, tmp_path_factory.mktemp("report"))
