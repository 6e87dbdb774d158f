"""The course's exercises and its text. The chapters are in docs/course.

    rnnlab.course.check("1.2", 1.97)

One file per chapter holds what its exercises ask; `checking` says how an answer is judged.
`patients` are runs that are ill, `diagnoses` asks what ails them.
"""

from rnnlab.course.charts import Chart, chart
from rnnlab.course.checking import Judgement, check, judge
from rnnlab.course.patients import patient
from rnnlab.course.text import book

__all__ = ["Chart", "Judgement", "book", "chart", "check", "judge", "patient"]
