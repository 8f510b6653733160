"""A progress line on stderr, fed by the job's steps and by scikit-learn's fit callbacks.

scikit-learn's own ProgressBar needs rich, writes to stdout and draws one table per fit; here
several fits, cross-validation and drawing share a single line, so the callback protocol feeds ours
instead.
"""

import sys
import threading
import time
from contextlib import contextmanager

_WIDTH = 24


class Progress:
    """Show how far a job of several steps has come.

    Parameters
    ----------
    steps : dict of str to float
        The steps in order, each with the share of time it is expected to take.
    mode : {"auto", "always", "never"}, default="auto"
        ``"auto"`` shows the line only where stderr is a terminal. Elsewhere ``"always"`` writes one
        line per step, so that a log file stays readable.
    stream : file-like, default=None
        Where to write; None means ``sys.stderr``.
    """

    def __init__(self, steps, *, mode="auto", stream=None):
        self._steps = dict(steps)
        self._stream = sys.stderr if stream is None else stream
        self._live = bool(getattr(self._stream, "isatty", lambda: False)())
        self._visible = mode == "always" or (mode == "auto" and self._live)
        self._done, self._fraction, self._current = 0.0, 0.0, ""
        self.prefix = ""  # set before the names of a job's steps where there are several jobs
        self._started = time.monotonic()
        self._finished = threading.Event()
        self._ticker = None

    def __enter__(self):
        if self._visible and self._live:
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        return self

    def __exit__(self, *_):
        self._finished.set()
        if self._ticker is not None:
            self._ticker.join()
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    @contextmanager
    def step(self, name):
        """Run one step; its share counts as done afterwards."""
        name = self.prefix + name
        self._current, self._fraction = name, 0.0
        if self._visible and not self._live:
            self._stream.write(f"{self._share:4.0%}  {self._elapsed()}  {name}\n")
            self._stream.flush()
        yield
        self._done += self._steps.get(name, 0.0)
        self._current, self._fraction = name, 0.0

    def update(self, fraction):
        """Say which fraction of the current step is done, between 0 and 1."""
        self._fraction = min(max(fraction, self._fraction), 1.0)

    @property
    def _share(self):
        running = self._fraction * self._steps.get(self._current, 0.0)
        return min((self._done + running) / (sum(self._steps.values()) or 1.0), 1.0)

    def _tick(self):
        while not self._finished.wait(0.2):
            self._stream.write(f"\r\x1b[2K{self._line()}")
            self._stream.flush()

    def _line(self):
        full = round(self._share * _WIDTH)
        bar = "█" * full + "░" * (_WIDTH - full)
        return f"{bar} {self._share:4.0%}  {self._elapsed()}  {self._current}"

    def _elapsed(self):
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes}:{seconds:02d}"


class FitProgress:
    """A fit callback in scikit-learn's protocol that passes on the fraction done.

    Parameters
    ----------
    report : callable
        Called with a fraction between 0 and 1.
    """

    def __init__(self, report):
        self._report = report

    def __getstate__(self):
        # A copy in a worker process has no line to write to.
        return {"_report": _ignore}

    def setup(self, estimator, context):
        """Begin a fit: nothing to prepare."""

    def on_fit_task_begin(self, estimator, context):
        """Begin a task of the fit: nothing to show."""

    def on_fit_task_end(self, estimator, context):
        """Report how much of the fit lies behind the task that ended."""
        fraction = _position(context)
        if fraction is not None:
            self._report(fraction)

    def teardown(self, estimator, context):
        """Report the end, however it came."""
        self._report(1.0)


def _position(context):
    """Return the fraction of the fit done when this task ends, or None if it is not known."""
    done = 1.0
    while context.parent is not None:
        n_siblings = context.parent.max_subtasks
        if not n_siblings:
            return None
        done = (context.task_id + done) / n_siblings
        context = context.parent
    return done


def _ignore(fraction):
    """Swallow a report."""
