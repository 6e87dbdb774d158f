"""`python -m rnnlab` is `rnnlab`."""

from rnnlab.signals import die_on_signals


def main() -> None:
    """Run the command line; a signal that arrives while it is loading ends the process quietly."""
    die_on_signals()
    from rnnlab.cli import main

    main()


if __name__ == "__main__":
    main()
