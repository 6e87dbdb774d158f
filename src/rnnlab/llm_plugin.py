"""A plugin of llm (https://llm.datasette.io), by which that program writes with models of rnnlab.

    $ llm rnnlab add time runs/first
    $ llm -m rnnlab/time "the time traveller" -o temperature 0.5

Names and paths of models are in rnnlab/models.json in llm's own folder, as other plugins do it.
llm loads this file at each start, so it imports little.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import llm
from pydantic import Field, create_model

from rnnlab.config import GenerationSettings
from rnnlab.errors import RnnlabError
from rnnlab.files import make_folder, write_json

OPTIONS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
"""Settings of `rnnlab generate` that are options of llm, too; max_tokens is its length."""


def _option(name: str) -> Any:
    field: Any = GenerationSettings.model_fields[name]
    description = f"{field.description}; default {field.default}"
    return field.annotation | None, Field(None, description=description)


class Rnnlab(llm.Model):  # type: ignore[misc]
    """A run directory or a model folder under a name; it continues texts, and does not talk."""

    can_stream = True
    supports_conversation = False
    Options = create_model(
        "Options",
        __base__=llm.Options,
        max_tokens=_option("length"),
        label=(str | None, Field(None, description="of a model of labelled samples")),
        **{name: _option(name) for name in OPTIONS},
    )

    def __init__(self, name: str, path: str) -> None:
        self.model_id, self.path = f"rnnlab/{name}", path
        self._model: Any = None

    def execute(
        self, prompt: Any, stream: bool, response: Any, conversation: Any = None
    ) -> Iterator[str]:
        """Yield the continuation of a prompt, piece by piece."""
        import rnnlab

        if prompt.system:
            raise llm.ModelError(f"{self.model_id} continues a text; it takes no system prompt")
        given = {n: v for n, v in prompt.options.model_dump().items() if v is not None}
        if "max_tokens" in given:
            given["length"] = given.pop("max_tokens")
        try:
            self._model = self._model or rnnlab.load(self.path)
            yield from self._model.stream(prompt.prompt, **given)
        except RnnlabError as error:
            raise llm.ModelError(str(error)) from None


@llm.hookimpl  # type: ignore[untyped-decorator]
def register_models(register: Callable[[llm.Model], None]) -> None:
    """Tell llm which models there are; a damaged list does not keep others from working."""
    try:
        models = read_models()
    except click.ClickException as error:
        click.echo(f"rnnlab: {error.message}; its models are left out", err=True)
        return
    for name, path in models.items():
        register(Rnnlab(name, path))


@llm.hookimpl  # type: ignore[untyped-decorator]
def register_commands(cli: click.Group) -> None:
    """Add `llm rnnlab add`, `list` and `remove`."""

    @cli.group()
    def rnnlab() -> None:
        """Models of rnnlab: which llm knows, and under which names."""

    @rnnlab.command()
    @click.argument("name")
    @click.argument("path", type=click.Path(path_type=Path))
    def add(name: str, path: Path) -> None:
        """Name a run directory or a model folder of rnnlab; then llm -m rnnlab/NAME writes."""
        from rnnlab.lm.model_folder import find_model

        if not name or any(c.isspace() for c in name):
            raise click.ClickException(f"a name has no spaces and is not empty, unlike {name!r}")
        try:
            find_model(path)
        except RnnlabError as error:
            raise click.ClickException(str(error)) from None
        _write_models({**read_models(), name: str(path.absolute())})

    @rnnlab.command("list")
    def list_() -> None:
        """Show the names and where the models are."""
        for name, path in read_models().items():
            click.echo(f"rnnlab/{name}\t{path}")

    @rnnlab.command()
    @click.argument("name")
    def remove(name: str) -> None:
        """Forget a name; the model stays where it is."""
        models = read_models()
        if models.pop(name, None) is None:
            known = ", ".join(models) or "none"
            raise click.ClickException(f"no model has the name {name!r} (known: {known})")
        _write_models(models)


def read_models() -> dict[str, str]:
    """Return the path of each model by its name; raise ClickException for a damaged list."""
    file = _models_file()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not all(isinstance(path, str) for path in content.values()):
            raise ValueError("a path must be text")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise click.ClickException(f"{file} cannot be read ({error})") from None
    return dict(content)


def _write_models(models: dict[str, str]) -> None:
    make_folder(_models_file().parent)
    write_json(_models_file(), models)


def _models_file() -> Path:
    return Path(llm.user_dir()) / "rnnlab" / "models.json"
