"""The command that serves runs and models to other programs."""

from pathlib import Path
from typing import Annotated

import tyro

from rnnlab.commands.flags import Text
from rnnlab.config import LoadSettings

RUNS = tyro.conf.arg(metavar="[RUNS | MODEL ...]", help_behavior_hint="(default: runs)")


def serve(
    machine: LoadSettings,
    models: tyro.conf.Positional[Annotated[tuple[Path, ...], RUNS]] = (),
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Text = "",
    texts: Text = "",
    read_only: bool = False,
    open: bool = False,
) -> None:
    """Serve the lab in a browser, and models to other programs as OpenAI's completions.

    Needs pip install 'rnnlab[serve]'. It computes with one thread, or as many as --threads says.
    Ctrl-C ends it.

    Args:
        models: folders of runs, run directories or model folders
        host: address to listen on; any but 127.0.0.1 needs --token
        port: port to listen on; 0: any that is free
        token: what clients must send as Authorization: Bearer TOKEN
        texts: folder of texts that runs can be started with
        read_only: start, stop and store nothing
        open: open the page in a browser
    """
    from rnnlab.web.serving import serve as serve_models

    serve_models(
        models, machine, host=host, port=port, token=token, texts=Path(texts) if texts else None,
        read_only=read_only, opens=open,
    )  # fmt: skip
