"""Progress of long work: a line that renews itself on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time

TERMINAL_SECONDS, LOG_SECONDS = 0.2, 15.0


class Progress:
    """Counts rows: call it with how many were done since the last call."""

    def __init__(self, what: str, total: int | None):
        """total : None where nobody knows yet."""
        self.what, self.total, self.done = what, total, 0
        self.started = self.shown = time.perf_counter()
        self.terminal = sys.stderr.isatty()

    def __call__(self, rows: int) -> None:
        self.done += rows
        now = time.perf_counter()
        if now - self.shown >= (TERMINAL_SECONDS if self.terminal else LOG_SECONDS):
            self.shown = now
            self._show(now)

    def restart(self) -> None:
        """Count time from here: what came before was something else."""
        self.started = self.shown = time.perf_counter()

    def finish(self) -> None:
        """The last line, with the rate."""
        self._show(time.perf_counter())
        if self.terminal:
            print(file=sys.stderr)

    def _show(self, now: float) -> None:
        rate = self.done / max(now - self.started, 1e-9)
        of = "" if self.total is None else f" of {self.total:,}"
        text = f"{self.what}: {self.done:,}{of}, {rate:,.0f}/s"
        if self.total is not None and self.done < self.total:
            text += f", {(self.total - self.done) / rate if rate else 0.0:.0f} s left"
        print(
            f"\r{text:<78}" if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr, flush=True
        )
