"""The course's exercises and its text. The chapters are in docs/course.

    rnnlab.course.check("1.2", 1.97)

One file per chapter holds what its exercises ask; `checking` says how an answer is judged.
"""

from rnnlab.course.checking import Judgement, check, judge
from rnnlab.course.text import book

__all__ = ["Judgement", "book", "check", "judge"]
