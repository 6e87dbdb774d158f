"""What is wrong with a run, in words: evidence, rules, findings.

history.py   what the run logged
text.py      what simple predictors reach on its training text
weights.py   how far its weights went from where they began, what gates and units do on the text
evidence.py  these together, or why one of them is not at hand
*_rules.py   one function an illness: evidence -> finding, or None
examine.py   asks every rule
"""
