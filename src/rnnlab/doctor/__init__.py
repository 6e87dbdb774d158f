"""Diagnose a run: collect evidence, apply rules, report findings.

history.py      what the run logged
text_levels.py  what simple predictors reach on its training text
activity.py     how far its weights have moved; what gates and units do on the text
evidence.py     all of these, or the reason why one is missing
rules_*.py      one function per illness: evidence -> finding, or None
advice.py       what to try, as flags
diagnose.py     applies every rule
"""
