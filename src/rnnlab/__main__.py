"""`python -m rnnlab` is `rnnlab`."""

import gc
import os

from rnnlab.signals import die_on_signals


def main() -> None:
    """Run the command line; a signal that arrives while it is loading ends the process quietly."""
    die_on_signals()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # to find none, it reads all packages
    gc.disable()  # nothing that loading makes is garbage; looking for it takes 30 ms
    from rnnlab.cli import main

    main()


if __name__ == "__main__":
    main()
