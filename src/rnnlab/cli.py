"""The command line: which command is meant, and how each way to fail is told."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

import tyro
from tyro.constructors import StructConstructorSpec, StructFieldSpec, StructTypeInfo

from rnnlab import __version__
from rnnlab.commands import COMMANDS, train
from rnnlab.config import Settings, SettingsGroup, find_config
from rnnlab.console import visible
from rnnlab.errors import RnnlabError, TerminatedError, UsageError, lack_of_memory, unknown
from rnnlab.signals import die_on_signals, end_on_signals

FLAT = (tyro.conf.OmitArgPrefixes,)
"""A flag is a setting's name, never a group's."""

REGISTRY = tyro.constructors.ConstructorRegistry()
"""How tyro builds what is not an ordinary type."""

DESCRIPTION = (
    "A laboratory for recurrent language models: train, measure honestly, generate.\n\n"
    "rnnlab COMMAND --help has all that a command takes; rnnlab --version prints the version."
)


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; exit code 0, 1 for a failure, 2 for wrong usage.

    130 after Ctrl-C and 143 after SIGTERM, as shells have it.
    """
    args = list(sys.argv[1:] if args is None else args)
    end_on_signals()
    try:
        run_command(args)
    except RnnlabError as error:
        fail(str(error), error.exit_code)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not (lack := lack_of_memory(error)):
            raise
        fail(str(lack), lack.exit_code)
    except KeyboardInterrupt as interrupt:
        sign = signal.SIGTERM if isinstance(interrupt, TerminatedError) else signal.SIGINT
        kept = f". {interrupt}" if str(interrupt) else ""
        fail(f"interrupted by {sign.name}{kept}", 128 + sign)
    except BrokenPipeError:
        give_up_output()
        sys.exit(1)
    except OSError as error:
        fail(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)
    finally:
        die_on_signals()


@REGISTRY.struct_rule
def settings_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Have groups of settings built by `from_dict`, which says in plain words what is wrong."""
    if not (isinstance(info.type, type) and issubclass(info.type, SettingsGroup)):
        return None
    group = info.type
    defaults = info.default if isinstance(info.default, group) else group()

    def build(**values: Any) -> SettingsGroup:
        return group.from_dict(values)

    build.__doc__ = group.__doc__
    hints = get_type_hints(group, include_extras=True)
    fields = tuple(
        StructFieldSpec(name, hints[name], getattr(defaults, name), field.description)
        for name, field in group.model_fields.items()
    )
    return StructConstructorSpec(build, fields)


def run_command(args: Sequence[str]) -> None:
    """Parse the flags of one command and call it."""
    if list(args) == ["--version"]:
        print(f"rnnlab {__version__}")
    elif args and args[0] in COMMANDS:
        command = COMMANDS[args[0]]
        if command is train:
            command = partial(train, **dict(configured(args[1:])))
        tyro.cli(command, prog=f"rnnlab {args[0]}", args=args[1:], config=FLAT, registry=REGISTRY)
    elif args and not args[0].startswith("-"):
        raise unknown("command", args[0], COMMANDS)
    else:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="rnnlab",
            description=DESCRIPTION,
            args=args or ["--help"],
            config=FLAT,
            registry=REGISTRY,
        )


def configured(args: Sequence[str]) -> Settings:
    """Return the settings of `--config` or `--resume`, the defaults of all other flags.

    Raises UsageError where one of them, or `--run-dir`, is given as nothing: a shell's variable
    that is not set would otherwise begin a new run.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--config", "--resume", "--run-dir"):
        parser.add_argument(flag)
    try:
        given = parser.parse_known_args(args)[0]
    except argparse.ArgumentError:  # one of them at the end; the real parser says so
        return Settings()
    if empty := [name for name, value in vars(given).items() if value == ""]:
        raise UsageError(f"--{empty[0].replace('_', '-')} is empty; name one, or leave it out")
    if given.resume:
        from rnnlab.runs.resume import settings_to_resume

        return settings_to_resume(Path(given.resume))
    return Settings.from_toml(find_config(given.config)) if given.config else Settings()


def fail(message: str, exit_code: int) -> NoReturn:
    """Print one error and end."""
    die_on_signals()
    print(f"rnnlab: error: {visible(message)}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # Python would tell of it once more at its end
        give_up_output()
    sys.exit(exit_code)


def give_up_output() -> None:
    """Let nothing more be written to standard output, which cannot take it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
