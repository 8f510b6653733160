"""The image cache: an image is decoded once, however many folds and grid points ask for it.

Kept are small grey images under a hash of what they were read from, in memory only. A file counts
as the same as long as its path, its size and the times of its last change are the same: that of its
content, which copying may keep, and that of its entry in the file system.
"""

import hashlib
import os
from numbers import Integral

import numpy as np

from sklearn_medsel.image._grey import grey_from_array, resize
from sklearn_medsel.image._reading import VOLUMES, find, read_image, why_not
from sklearn_medsel.text._cache_stores import MemoryStore

__all__ = ["ImageCache", "resolve_cache"]

_KEY_BYTES = 20
_STORED = np.dtype("<f2")  # 11 bits: more than a screen shows, in half the memory


class ImageCache:
    """Small grey images, kept in memory.

    Safe between threads. Copies (`copy.deepcopy`, `sklearn.clone`) are the cache itself, so all
    candidates of a grid search share it. A pickle carries no images.

    Parameters
    ----------
    max_bytes : int, default=1073741824
        Most memory; images that were not used for longest are dropped. An image of 64 x 64 pixels
        takes 8 kB.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.image import ImageCache, read_images
    >>> cache = ImageCache()
    >>> scan = np.arange(12.0).reshape(3, 4)
    >>> images, counts = read_images([scan, None, scan], size=8, cache=cache)
    >>> images.shape, counts.tolist(), len(cache)
    ((2, 8, 8), [1, 0, 1], 1)
    """

    def __init__(self, max_bytes=2**30):
        if not isinstance(max_bytes, Integral) or isinstance(max_bytes, bool) or max_bytes < 1:
            raise ValueError(f"max_bytes must be a whole number of at least 1, found {max_bytes}.")
        self.max_bytes = int(max_bytes)
        self._store = MemoryStore(self.max_bytes)

    def clear(self):
        """Forget all images."""
        self._store.clear()

    def __len__(self):
        return len(self._store)

    def __bool__(self):
        return True  # an empty cache is a cache

    def __repr__(self):
        return "ImageCache()"

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return ImageCache, (self.max_bytes,)

    def _get(self, key):
        return self._store.get([key]).get(key)

    def _put(self, key, image):
        self._store.put({key: image})


def small_images(source, *, size, image_root, volume, cache):
    """Read one image, or take it from the cache, as (n, size, size) float32; n > 1 of a volume.

    With or without a cache, grey values are rounded to half precision, so that they are the same.
    """
    key = None
    if cache is not None:
        key = _key(source, size, image_root, volume)
        known = cache._get(key)
        if known is not None:
            return _unpack(known, size)
    if isinstance(source, np.ndarray):
        images = [grey_from_array(source)]
    else:
        images = read_image(source, image_root=image_root, volume=volume)
    packed = np.stack([resize(image, size) for image in images]).astype(_STORED).tobytes()
    if cache is not None:
        cache._put(key, packed)
    return _unpack(packed, size)


def _unpack(packed, size):
    return np.frombuffer(packed, _STORED).reshape(-1, size, size).astype(np.float32)


def _key(source, size, image_root, volume):
    """Hash of what an image is read from and of how it is kept."""
    digest = hashlib.blake2b(bytes([VOLUMES.index(volume)]), digest_size=_KEY_BYTES)
    digest.update(size.to_bytes(4, "little"))
    if isinstance(source, bytes):
        digest.update(b"bytes" + hashlib.blake2b(source).digest())
    elif isinstance(source, np.ndarray):
        digest.update(f"array {source.dtype.str} {source.shape} ".encode())
        digest.update(np.ascontiguousarray(source).tobytes())
    else:
        path = find(source, image_root)
        try:
            found = path.stat()
        except (OSError, ValueError) as error:
            raise ValueError(why_not(error)) from None
        times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
        digest.update(f"file {found.st_ino} {times} {found.st_size} ".encode())
        digest.update(os.fsencode(os.path.abspath(path)))
    return digest.digest()


_process_cache = ImageCache()


def resolve_cache(cache):
    """Turn the `cache` parameter into an `ImageCache`, or None for no cache.

    Parameters
    ----------
    cache : None, False or ImageCache
        None: one that everything in this process shares. False: none.

    Returns
    -------
    ImageCache or None
        The cache.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if cache is None:
        return _process_cache
    if cache is False:
        return None
    if isinstance(cache, ImageCache):
        return cache
    raise TypeError(
        "cache must be None (shared by this process), False (no cache) or an ImageCache; found "
        f"{type(cache).__name__}."
    )
