"""The command line: it finds the command, calls it and reports failures."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import signature
from typing import Annotated, Any, NoReturn, get_args, get_origin, get_type_hints

import tyro
from pydantic import BaseModel
from tyro.constructors import StructConstructorSpec, StructFieldSpec, StructTypeInfo

from rnnlab import __version__
from rnnlab.commands import COMMANDS, OPTIONAL, train
from rnnlab.config import CHOSEN, REPEATED, Settings, SettingsGroup
from rnnlab.console import make_streams_take_all_text, plain_streams, say
from rnnlab.errors import RnnlabError, TerminatedError, as_out_of_memory, unknown
from rnnlab.runs.precedence import starting_settings
from rnnlab.signals import die_on_signals, end_on_signals

OVERVIEW = """\
usage: rnnlab COMMAND [options]

A laboratory for recurrent language models: train, measure honestly, generate.

commands:
{commands}

rnnlab COMMAND --help shows all options of a command; rnnlab --version prints the version.
"""


class Flags:
    """What stands for a group of settings in the parameters of a command."""

    defaults: SettingsGroup


REGISTRY = tyro.constructors.ConstructorRegistry()
"""How tyro builds groups of settings."""


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0, 1 if it failed, 2 for wrong usage, 130 and 143 for signals."""
    args = list(sys.argv[1:] if args is None else args)
    make_streams_take_all_text()
    try:
        try:
            end_on_signals()
            run_command(args)
        finally:  # from here on a signal ends the process, and raises nothing
            die_on_signals()
    except RnnlabError as error:
        fail(str(error), error.exit_code)
    except (MemoryError, RuntimeError, ImportError) as error:
        if not (lack := as_out_of_memory(error)):
            raise
        fail(str(lack), lack.exit_code)
    except KeyboardInterrupt as interrupt:
        sign = signal.SIGTERM if isinstance(interrupt, TerminatedError) else signal.SIGINT
        kept = f". {interrupt}" if str(interrupt) else ""
        fail(f"interrupted by {sign.name}{kept}", 128 + sign)
    except BrokenPipeError:
        discard_output()
        sys.exit(1)
    except OSError as error:
        fail(f"{error.filename or 'standard output'}: {error.strerror or error}", 1)


def run_command(args: Sequence[str]) -> None:
    """Parse the flags of one command and call it."""
    name, args = named_command(args)
    if name == "--version":
        print(f"rnnlab {__version__}")
    elif name in ("--help", "-h"):
        print(overview(), end="")
    elif name in COMMANDS:
        command = deferred(COMMANDS[name], args)
        if COMMANDS[name] is train:
            command = partial(command, given=given_settings(args))
        with plain_streams():  # tyro pads the lines of its help
            call = tyro.cli(
                command,
                prog=f"rnnlab {name}",
                args=args,
                config=(tyro.conf.OmitArgPrefixes,),  # a flag is a setting's name, not its group's
                registry=REGISTRY,
            )
        if not gc.isenabled():  # by `rnnlab.__main__`
            gc.freeze()  # what was loaded stays; to look through it would take 25 ms
            gc.enable()
        call()
    else:
        kind = "option" if name.startswith("-") else "command"
        raise unknown(kind, name, ["--help", "--version"] if kind == "option" else COMMANDS)


def named_command(args: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the command's name, which may have two words, and what follows it."""
    if (two := " ".join(args[:2])) in COMMANDS and len(args) > 1:
        return two, args[2:]
    return (args[0], args[1:]) if args else ("--help", [])


def deferred(
    command: Callable[..., None], args: Sequence[str]
) -> Callable[..., Callable[[], None]]:
    """Return a function with the parameters of a command that returns the call to be made.

    tyro checks that a default is of its type with typeguard, whose import takes an eighth of the
    time to start. It needs none for the types that stand here for those of the command.
    """
    start = dict(default_settings(args)).values() if command is train else ()
    hints = get_type_hints(command, include_extras=True)

    def call(*args: Any, **options: Any) -> Callable[[], None]:
        return partial(command, *args, **options)

    call.__annotations__ = {name: simple_type(hint, start) for name, hint in hints.items()}
    call.__doc__ = command.__doc__
    vars(call)["__signature__"] = signature(command)
    return call


def simple_type(hint: Any, start: Iterable[SettingsGroup] = ()) -> Any:
    """Return a class of Flags for a group of settings, and `tuple` for `tuple[str, ...]`.

    start: groups whose values are the defaults of flags, in place of the group's own.
    """
    if get_origin(hint) is Annotated:
        kind, *rest = get_args(hint)
        return Annotated[(simple_type(kind, start), *rest)]
    if isinstance(hint, type) and issubclass(hint, SettingsGroup):
        defaults = next((group for group in start if type(group) is hint), None) or hint()
        return type(hint.__name__, (Flags,), {"defaults": defaults})
    if get_origin(hint) is tuple:
        kind, *rest = get_args(hint)
        if rest == [...] and (get_args(kind) or [kind])[0] is str:
            return tuple
    return hint


def overview() -> str:
    """Name every command and say what it does; without tyro, which would need half a second."""
    about = {name: (command.__doc__ or "").partition("\n")[0] for name, command in COMMANDS.items()}
    width = max(map(len, about)) + 2
    return OVERVIEW.format(commands="\n".join(f"  {name:<{width}}{about[name]}" for name in about))


def default_settings(args: Sequence[str]) -> Settings:
    """Return what `rnnlab train` takes for settings without a flag."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in ("--config", "--run-dir", "--resume"):
        parser.add_argument(flag)
    try:
        given = parser.parse_known_args(args)[0]
    except argparse.ArgumentError:  # a flag without its value; tyro reports it
        return Settings()
    return starting_settings(given.config, given.run_dir, given.resume)


def given_settings(args: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the settings that have a flag: --hidden-size, --tie_weights=True."""
    flags = (arg.partition("=")[0] for arg in args if arg.startswith("--"))
    names = {flag[2:].replace("-", "_") for flag in flags}
    return tuple(n for n in Settings.names() if n in names or f"no_{n}" in names)


@REGISTRY.struct_rule
def settings_rule(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Build groups of settings by `from_dict`, which says in plain words what is wrong."""
    if not (isinstance(info.type, type) and issubclass(info.type, Flags)):
        return None
    defaults = info.type.defaults
    group = type(defaults)

    def build(**values: Any) -> BaseModel:
        return group.from_dict(values)

    build.__doc__ = group.__doc__
    hints: dict[str, Any] = get_type_hints(group, include_extras=True)
    fields = []
    for name, field in group.model_fields.items():
        default = getattr(defaults, name)
        kind = simple_type(hints[name])
        if default in ("", ()):
            kind = Annotated[kind, OPTIONAL]
        if name in CHOSEN and group in Settings.groups.values() and default == field.default:
            hint = f"(default: chosen, {str(default).removesuffix('.0')} with --no-automatic)"
            kind = Annotated[kind, tyro.conf.arg(help_behavior_hint=hint)]
        if REPEATED in getattr(kind, "__metadata__", ()):
            kind = Annotated[kind, tyro.conf.UseAppendAction]
        fields.append(StructFieldSpec(name, kind, default, field.description))
    return StructConstructorSpec(build, tuple(fields))


def fail(message: str, exit_code: int) -> NoReturn:
    """Print one error and exit."""
    say(f"rnnlab: error: {message}", sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # Python would report it once more when it exits
        discard_output()
    sys.exit(exit_code)


def discard_output() -> None:
    """Send standard output, which is closed or broken, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
