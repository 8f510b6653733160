"""Fingerprints of encoders: by them a cache knows whose vectors it holds.

A wrong fingerprint is worse than a slow one, since it hands out another model's vectors. So files
are hashed in full (about a second per gigabyte, once per process and file), and an object without a
`fingerprint` of its own gets one that no other process shares.
"""

import contextlib
import hashlib
import threading
import uuid
import weakref
from functools import lru_cache

import cloudpickle
import torch

_PROCESS = uuid.uuid4().hex
_MOST_STATES = 10_000
_of_state: dict = {}  # hash of an object's state -> fingerprint
_objects: dict = {}  # id of an object without such a hash -> (weak reference, fingerprint)
_lock = threading.Lock()


def files_fingerprint(paths, extra=""):
    """Hash of what files hold; where they lie does not matter.

    Parameters
    ----------
    paths : dict of str to Path
        Name that enters the hash, and file.
    extra : str, default=""
        What else the vectors depend on.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(extra.encode(), digest_size=16)
    for name in sorted(paths):
        status = paths[name].stat()
        content = _content(str(paths[name]), status.st_size, status.st_mtime_ns)
        digest.update(len(name).to_bytes(4, "little") + name.encode() + content)
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _content(path, size, modified):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()


def object_fingerprint(encoder):
    """Fingerprint of an object that brings none; good in this process only.

    Equal copies share it, as `sklearn.clone` makes them. The hash covers the object's state and,
    where its class was written in a notebook or script, its code. What the object's own `encode`
    changes (a counter, a model loaded late) does not count, see `note_use`; what anybody else
    changes gives a new fingerprint. An object that cannot be pickled is known by its identity.

    Parameters
    ----------
    encoder : object
        An encoder.

    Returns
    -------
    str
        Fingerprint.
    """
    state = _state(encoder)
    with _lock:
        if state is None:
            return _by_identity(encoder)
        return _of_state.setdefault(state, f"process:{_PROCESS}:{state}")


def note_use(encoder, fingerprint):
    """Say that an encoder has just encoded, and kept its fingerprint whatever that changed.

    Parameters
    ----------
    encoder : object
        An encoder.
    fingerprint : str
        What `object_fingerprint` gave before.
    """
    state = _state(encoder)
    with _lock:
        if len(_of_state) >= _MOST_STATES:  # an encoder that counts has a new state every time
            _of_state.clear()
        if state is not None:
            _of_state.setdefault(state, fingerprint)


def _by_identity(encoder):
    key = id(encoder)
    if key in _objects and _objects[key][0]() is encoder:
        return _objects[key][1]
    fingerprint = f"process:{_PROCESS}:{uuid.uuid4().hex}"
    # without weak references: a new fingerprint every time, and never a wrong one
    with contextlib.suppress(TypeError):
        _objects[key] = (weakref.ref(encoder, lambda _: _objects.pop(key, None)), fingerprint)
    return fingerprint


class _HashWriter:
    """The file that a pickler writes into; keeps the hash alone."""

    def __init__(self):
        self.digest = hashlib.blake2b(digest_size=16)

    def write(self, data):
        self.digest.update(data)  # bytes, or a buffer where an array is large
        return memoryview(data).nbytes


class _HashPickler(cloudpickle.CloudPickler):
    """Pickles tensors by their numbers; torch writes addresses, which no two copies share."""

    def reducer_override(self, obj):
        if isinstance(obj, torch.Tensor) and obj.layout is torch.strided:
            numbers = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return tuple, ((str(obj.dtype), tuple(obj.shape), numbers),)
        return super().reducer_override(obj)


def _state(encoder):
    """Hash of an object's pickle, or None where it has none.

    cloudpickle, not pickle: it writes the code of classes and functions of notebooks and scripts,
    which are redefined under the same name.
    """
    writer = _HashWriter()
    try:
        _HashPickler(writer).dump(encoder)
    except Exception:  # whatever a __reduce__ of somebody else's raises
        return None
    return writer.digest.hexdigest()
