"""The command line: ``python -m sklearn_medsel``.

Only the standard library is imported until a subcommand runs, so that ``--help`` is immediate.
"""

import signal
import sys
import threading
from contextlib import contextmanager
from importlib import import_module

from sklearn_medsel._cli._arguments import build_parser


def main(argv=None):
    """Run a subcommand.

    Parameters
    ----------
    argv : list of str or None, default=None
        The arguments after the program's name; None means those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 the system refused (a full disk), 2 bad input, 130 interrupted.
    """
    arguments = build_parser().parse_args(argv)
    try:
        with _cleanly_terminated():
            return import_module(arguments.module).run(arguments)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", 130)
    except (ValueError, ImportError, OSError) as error:
        if arguments.traceback:
            raise
        return _fail(
            f"error: {' '.join(str(error).split())}", 1 if isinstance(error, OSError) else 2
        )


def _fail(message, status):
    sys.stderr.write(f"sklearn_medsel: {message}\n")
    return status


@contextmanager
def _cleanly_terminated():
    """Let a polite kill unwind the stack, as Ctrl-C does, so that temporary folders are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    sys.exit(main())
