"""A run in TensorBoard: one event file, in RUN/tensorboard.

TensorBoard's own writers pass events to a thread, where errors come late and far from their cause.
Here each method returns when its events are in the file.
"""

import socket
from pathlib import Path
from textwrap import indent

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from rnnlab.config import Settings
from rnnlab.runs.mirrors.mirror import Mirror, Status, scalars, word
from rnnlab.runs.watcher import Line

FOLDER = "tensorboard"

COMPARED = ("held-out/bits_per_character", "train/perplexity", "train/tokens_per_second")
"""The figures on the page HPARAMS, which also shows the settings."""


class TensorBoard(Mirror):
    """Numbers as scalars, samples as text, settings as hparams."""

    def __init__(self, directory: Path, settings: Settings, began: float, step: int = 0) -> None:
        folder = directory / FOLDER
        folder.mkdir(exist_ok=True)
        self._file = folder / f"events.out.tfevents.{began:.0f}.{socket.gethostname()}"
        values = {
            name: value if isinstance(value, int | float) else word(value)
            for name, value in settings.flat().items()
        }
        columns = [hparams.HParam(name) for name in values]
        figures = [hparams.Metric(tag) for tag in COMPARED]
        self._write(
            Event(wall_time=began, file_version="brain.Event:2"),
            # Tells TensorBoard to drop what an interrupted run wrote after this step.
            Event(wall_time=began, step=step + 1, session_log=SessionLog(status=SessionLog.START)),
            _event(began, 0, hparams.hparams_config_pb(columns, figures, began)),
            _event(began, 0, hparams.hparams_pb(values, str(directory), began)),
        )

    def line(self, line: Line, when: float) -> None:
        """See `Mirror.line`."""
        summaries = (scalar_pb(tag, value) for tag, value in scalars(line).items())
        self._write(*(_event(when, line["step"], summary) for summary in summaries))

    def sample(self, step: int, text: str, when: float) -> None:
        """See `Mirror.sample`."""
        # The page shows Markdown, in which four spaces mark literal text.
        literal = indent(text, "    ", lambda _: True)
        self._write(_event(when, step, text_pb("sample", literal)))

    def end(self, status: Status, when: float) -> None:
        """See `Mirror.end`."""
        how = api_pb2.STATUS_SUCCESS if status == "FINISHED" else api_pb2.STATUS_FAILURE
        session = plugin_data_pb2.SessionEndInfo(status=how, end_time_secs=when)
        data = plugin_data_pb2.HParamsPluginData(session_end_info=session)
        summary = Summary()
        summary.value.add(
            tag=metadata.SESSION_END_INFO_TAG,
            metadata=metadata.create_summary_metadata(data),
            tensor=metadata.NULL_TENSOR,
        )
        self._write(_event(when, 0, summary))

    def _write(self, *events: Event) -> None:
        with self._file.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                records.write(event.SerializeToString())


def _event(when: float, step: int, summary: Summary) -> Event:
    return Event(wall_time=when, step=step, summary=summary)
