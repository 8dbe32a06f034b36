"""How a run shows where it is: on a terminal a bar a stage, elsewhere a line a job (``snakemake --logger gradgap``).

Snakemake finds this module by its name. Warnings and errors are shown as Snakemake shows them.
"""

import logging
import time

from gradgap.logs import duration
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

#: The stages in the order of the data, with what they do in a word or two.
STAGES = {
    "shards": "simulate",
    "datasets": "put together",
    "analysis": "analyse",
    "figures": "draw",
    "tables": "tabulate",
    "explore": "page to explore",
    "index": "page of findings",
}
NOTHING = "Nothing to be done"
STOPPED = "stopped; what is finished stays, and the same command goes on from there"


class LogHandler(LogHandlerBase):
    """The logger; Snakemake makes one for a run."""

    def __post_init__(self) -> None:
        self.console = Console(stderr=not self.common_settings.stdout, highlight=False)
        self.bars: Progress | None = None
        self.tasks: dict[str, int] = {}
        self.jobs: dict[int, tuple[str, str, float]] = {}
        self.total = self.done = 0
        self.stopped = False

    # what Snakemake asks of a logger: its filter and its formatter are used for warnings and errors
    writes_to_stream = property(lambda self: True)
    writes_to_file = property(lambda self: False)
    has_filter = property(lambda self: False)
    has_formatter = property(lambda self: False)
    needs_rulegraph = property(lambda self: False)

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record says, if a reader wants to know."""
        try:
            self._emit(record)
        except Exception:  # a logger must not end a run
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        text = record.getMessage() or ""
        if "on user request" in text:
            self.stopped = True
            self._close_bars()
            self._say(STOPPED)
        elif self.stopped:
            return
        elif event == LogEvent.RUN_INFO:
            self._begin(dict(record.stats))
        elif event == LogEvent.JOB_INFO:
            wildcards = record.wildcards or {}
            what = "/".join(str(wildcards[name]) for name in ("study", "figure") if name in wildcards)
            self.jobs[record.jobid] = (record.rule_name, what, time.monotonic())
        elif event == LogEvent.JOB_FINISHED:
            self._finished(record.job_id)
        elif record.levelno >= logging.WARNING or text.startswith(NOTHING) or self.common_settings.verbose:
            self._say(self.format(record))

    def _say(self, text: str) -> None:
        self.console.print(text.rstrip("\n"), markup=False, soft_wrap=True)

    def _begin(self, stats: dict) -> None:
        counts = {stage: stats[stage] for stage in STAGES if stats.get(stage)}
        self.total = sum(counts.values())
        if self.common_settings.dryrun:
            self._say(", ".join(f"{count} {stage}" for stage, count in counts.items()))
        elif self.console.is_terminal and counts:
            self.bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
                # a stage may have one long job: what the last minutes say is what is known
                speed_estimate_period=120,
            )
            for stage, count in counts.items():
                self.tasks[stage] = self.bars.add_task(f"{stage}: {STAGES[stage]}", total=count)
            self.bars.start()

    def _finished(self, job: int) -> None:
        stage, what, started = self.jobs.pop(job, ("", "", 0.0))
        if stage not in STAGES:
            return
        self.done += 1
        if self.bars is not None:
            self.bars.advance(self.tasks[stage])
        else:
            count = f"{self.done:>{len(str(self.total))}} of {self.total}"
            took = duration(time.monotonic() - started)
            self._say(f"{count}  {' '.join(filter(None, (stage, what)))}, {took}")

    def _close_bars(self) -> None:
        if self.bars is not None:
            self.bars.stop()
            self.bars = None

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._close_bars()
        super().close()
