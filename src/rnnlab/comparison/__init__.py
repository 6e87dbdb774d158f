"""Runs next to each other: what differs in their settings, how far they are apart, and how surely.

No screen and no pictures: `rnnlab.report.write_up` draws what is found here.
"""
