"""`rnnlab serve`: models and runs over HTTP, as clients of OpenAI's completions speak it.

One file a group of routes. `serving` puts them together, `guard` minds who asks, and `turns` who
computes.
"""
