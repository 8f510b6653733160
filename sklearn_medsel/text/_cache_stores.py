"""Where a sentence cache keeps its vectors: in memory, or in a file that processes share.

Both map a key (bytes) to the bytes of a little-endian float32 vector, and drop what is old once
they are full.
"""

import contextlib
import os
import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path

_OVERHEAD = 200  # bytes of a dictionary entry beside the vector
_FILE = "sentences.sqlite"
_FORMAT = 1
_WAIT = 60.0  # seconds for another process to finish writing
_KEYS_PER_QUERY = 500
_PAGE = 16384  # bytes; with sqlite's 4096 a page holds a single vector and is half empty


class MemoryStore:
    """Vectors in a dictionary; the least recently used go first. Safe between threads.

    Parameters
    ----------
    max_bytes : int
        Memory that vectors may take.
    """

    def __init__(self, max_bytes):
        self.max_bytes = max_bytes
        self._vectors, self._size, self._lock = OrderedDict(), 0, threading.Lock()

    def __len__(self):
        return len(self._vectors)

    def get(self, keys):
        """Dict of key to vector, for those of the keys that are here."""
        found = {}
        with self._lock:
            for key in keys:
                vector = self._vectors.get(key)
                if vector is not None:
                    self._vectors.move_to_end(key)
                    found[key] = vector
        return found

    def put(self, vectors):
        """Keep the vectors of a dict of key to vector."""
        with self._lock:
            for key, vector in vectors.items():
                old = self._vectors.pop(key, None)
                self._size -= 0 if old is None else len(old) + _OVERHEAD
                self._vectors[key] = vector
                self._size += len(vector) + _OVERHEAD
            while self._size > self.max_bytes and self._vectors:
                _, dropped = self._vectors.popitem(last=False)
                self._size -= len(dropped) + _OVERHEAD

    def clear(self):
        """Forget everything."""
        with self._lock:
            self._vectors.clear()
            self._size = 0


class FileStore:
    """Vectors in a SQLite file; what was written first goes first. Safe between processes.

    Every call opens the file and closes it (0.2 ms), so that nothing is left open in forks,
    threads and pickles. A rollback journal, not WAL, which does not work on network folders.

    Parameters
    ----------
    folder : Path
        Made where it is missing, readable by its owner alone.
    max_bytes : int
        Size that the file may have.
    """

    def __init__(self, folder, max_bytes):
        self.path, self.max_bytes = Path(folder) / _FILE, max_bytes

    def __len__(self):
        with self._open() as database:
            return database.execute("SELECT count(*) FROM vectors").fetchone()[0]

    def get(self, keys):
        """Dict of key to vector, for those of the keys that are here."""
        keys, found = list(keys), {}
        with self._open() as database:
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                part = keys[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"
                found.update(database.execute(query, part))
        return found

    def put(self, vectors):
        """Keep the vectors of a dict of key to vector, all of them or none."""
        with self._open() as database, _transaction(database):
            database.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", vectors.items())
            while self._used(database) > self.max_bytes:
                database.execute(
                    "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors ORDER BY rowid "
                    "LIMIT 1 + (SELECT count(*) FROM vectors) / 10)"
                )

    def clear(self):
        """Forget everything, also where the file is damaged."""
        try:
            with self._open() as database:
                with _transaction(database):
                    database.execute("DELETE FROM vectors")
                database.execute("VACUUM")
        except _DamagedCacheError:
            # a journal left behind would be played into the next file
            Path(f"{self.path}-journal").unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _open(self):
        try:
            self._make_file()
            connection = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            with contextlib.closing(connection) as database:
                self._prepare(database)
                yield database
        except (sqlite3.OperationalError, OSError) as error:
            raise OSError(
                f"The sentence cache {str(self.path)!r} cannot be used: {error}. Check that the "
                "folder can be written and is not full, or give another folder."
            ) from error
        except sqlite3.DatabaseError as error:
            raise _DamagedCacheError(
                f"The sentence cache {str(self.path)!r} is damaged ({error}). Delete that file, or "
                "call clear() on the cache; the vectors are computed again."
            ) from error

    def _make_file(self):
        """Make folder and file for the owner's eyes only; sqlite would let everybody read."""
        if not self.path.exists():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))

    def _prepare(self, database):
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found == _FORMAT:
            return
        if found != 0:
            raise ValueError(
                f"The sentence cache {str(self.path)!r} has the format {found}, and this version "
                f"reads format {_FORMAT}. Give another folder."
            )
        database.execute(f"PRAGMA page_size = {_PAGE}")
        with _transaction(database):
            database.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"
            )
            database.execute(f"PRAGMA user_version = {_FORMAT}")

    @staticmethod
    def _used(database):
        pages, free, size = (
            database.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        empty = database.execute("SELECT NOT EXISTS (SELECT 1 FROM vectors)").fetchone()[0]
        return 0 if empty else (pages - free) * size


class _DamagedCacheError(ValueError):
    """A file that is no SQLite database, or a broken one."""


@contextlib.contextmanager
def _transaction(database):
    """Take the right to write at once: waiting for it later can end in a deadlock error."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
