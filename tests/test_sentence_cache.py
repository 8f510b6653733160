"""The sentence cache: what is encoded, what is kept, and who may share it."""

import pickle
import sqlite3
import stat
import threading
from copy import copy, deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed
from sklearn.base import clone

from sklearn_medsel.text import _cache
from sklearn_medsel.text._cache import SentenceCache, encode_sentences, resolve_cache
from sklearn_medsel.text._encoders import HashingSentenceEncoder

SENTENCES = ["No effusion.", "A nodule in the left lung.", "No effusion.", "", "胸水なし。"]


class Recording:
    """Encoder with a fingerprint that remembers what it was asked for."""

    def __init__(self, fingerprint="recording", scale=1.0, width=5):
        self.fingerprint, self.scale, self.width, self.asked = fingerprint, scale, width, []

    def encode(self, sentences):
        self.asked.append(list(sentences))
        seeds = [[len(s), *s.encode("utf-8")] for s in sentences]
        rows = [np.random.default_rng(seed).normal(size=self.width) for seed in seeds]
        return (self.scale * np.array(rows)).astype(np.float32)

    @property
    def n_asked(self):
        return sum(map(len, self.asked))


@pytest.fixture(params=["memory", "folder"])
def cache(request, tmp_path):
    return SentenceCache(tmp_path / "cache" if request.param == "folder" else None)


def test_encodes_once_and_gives_the_same_bits(cache):
    encoder = Recording()
    first = cache.encode(encoder, SENTENCES)
    np.testing.assert_array_equal(first, Recording().encode(SENTENCES))
    assert first.dtype == np.float32
    assert encoder.n_asked == len(cache) == 4
    shuffled = cache.encode(encoder, [*SENTENCES[::-1], "new"])
    np.testing.assert_array_equal(shuffled[:-1], first[::-1])
    assert encoder.asked[1:] == [["new"]]


def test_result_is_the_callers_own(cache):
    vectors = cache.encode(Recording(), SENTENCES)
    expected = vectors.copy()
    vectors[:] = 0
    np.testing.assert_array_equal(cache.encode(Recording(), SENTENCES), expected)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), max_size=4))
def test_any_sequence_of_calls_equals_encoding_anew(calls):
    cache, encoder = SentenceCache(max_bytes=900), Recording()  # room for about four
    for sentences in calls:
        vectors = cache.encode(encoder, sentences)
        assert vectors.shape == (len(sentences), 5)
        if sentences:
            np.testing.assert_array_equal(vectors, Recording().encode(sentences))
        assert len(cache) <= 4


def test_encoders_do_not_mix(cache):
    one, two = Recording("1"), Recording("2", scale=2.0)
    first, second = cache.encode(one, SENTENCES), cache.encode(two, SENTENCES)
    np.testing.assert_array_equal(2 * first, second)
    # where the fingerprint ends and the sentence begins makes a difference
    cache.encode(Recording("1", width=3), ["2a"])
    assert cache.encode(Recording("12", width=4), ["a"]).shape == (1, 4)


def test_batches_are_of_like_length_and_told(cache, monkeypatch):
    monkeypatch.setattr(_cache, "_BATCH", 3)
    encoder, told = Recording(), []
    sentences = ["x" * n for n in (5, 1, 9, 3, 7, 2, 8)]
    cache.encode(encoder, [*sentences, "xxx"], lambda *done: told.append(done))
    assert [list(map(len, batch)) for batch in encoder.asked] == [[1, 2, 3], [5, 7, 8], [9]]
    assert told == [(3, 7), (6, 7), (7, 7)]
    cache.encode(encoder, sentences, lambda *done: told.append(done))
    assert len(told) == 3


def test_finished_batches_survive_an_interruption(cache, monkeypatch):
    monkeypatch.setattr(_cache, "_BATCH", 2)

    def stop(n_done, n_total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.encode(Recording(), ["a", "bb", "ccc"], stop)
    encoder = Recording()
    cache.encode(encoder, ["a", "bb", "ccc"])
    assert encoder.asked == [["ccc"]]


def test_errors_name_the_callers_rows(cache):
    class Faulty(Recording):
        def encode(self, sentences):
            vectors = super().encode(sentences)
            vectors[[s.startswith("secret") for s in sentences]] = np.nan
            return vectors

    sentences = ["a longer sentence", "secret", "b", "secret one", "secret"]
    with pytest.raises(ValueError, match=r"NaN or infinite.*rows 1, 3") as caught:
        cache.encode(Faulty(), sentences)
    assert "secret" not in str(caught.value)
    assert len(cache) == 0


def test_bad_sentences(cache):
    with pytest.raises(TypeError, match="NoneType at row 1"):
        cache.encode(Recording(), ["a", None])
    with pytest.raises(TypeError, match="single text"):
        cache.encode(Recording(), "a sentence")
    with pytest.raises(TypeError, match="encoder must be"):
        cache.encode(5, ["a"])


def test_nothing_to_encode(cache):
    assert cache.encode(Recording(), []).shape == (0, 5)


def test_half_a_character(cache):
    vectors = cache.encode("hashing", ["a\ud800", "a\ud801", "a"])
    assert np.isfinite(vectors).all()


def test_changed_length_under_one_fingerprint(cache):
    cache.encode(Recording(), ["a"])
    with pytest.raises(ValueError, match=r"different lengths \(4, 5\)"):
        cache.encode(Recording(width=4), ["a", "b"])


def test_clear(cache):
    cache.encode(Recording(), SENTENCES)
    cache.clear()
    assert len(cache) == 0
    assert cache  # an empty cache is a cache
    encoder = Recording()
    cache.encode(encoder, SENTENCES)
    assert encoder.n_asked == 4


def test_copies_are_the_cache_itself(cache):
    assert copy(cache) is deepcopy(cache) is clone(cache, safe=False) is cache


def test_pickle_carries_the_place_and_no_vectors(tmp_path):
    for folder in (None, tmp_path):
        cache = SentenceCache(folder, secret="key", max_bytes=10**6)
        cache.encode(Recording(), SENTENCES)
        again = pickle.loads(pickle.dumps(cache))
        assert (again.folder, again.max_bytes) == (cache.folder, 10**6)
        encoder = Recording()
        again.encode(encoder, SENTENCES)
        assert encoder.n_asked == (4 if folder is None else 0)


def test_least_recently_used_goes_first():
    cache = SentenceCache(max_bytes=3 * (20 + 200))
    cache.encode(Recording(), ["a"])
    cache.encode(Recording(), ["b"])
    cache.encode(Recording(), ["c"])
    cache.encode(Recording(), ["a"])
    cache.encode(Recording(), ["d"])
    encoder = Recording()
    cache.encode(encoder, ["a", "c", "d"])
    assert encoder.n_asked == 0
    cache.encode(encoder, ["b"])
    assert encoder.n_asked == 1


def test_threads_share_a_cache(cache):
    expected = Recording().encode(list("abcdefgh"))

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(20):
            rows = rng.integers(8, size=5)
            vectors = cache.encode(Recording(), ["abcdefgh"[row] for row in rows])
            np.testing.assert_array_equal(vectors, expected[rows])

    errors = []

    def guarded(seed):
        try:
            work(seed)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(cache) <= 8


# In a folder


def test_another_object_finds_what_is_in_the_folder(tmp_path):
    expected = SentenceCache(str(tmp_path)).encode(Recording(), SENTENCES)
    encoder = Recording()
    np.testing.assert_array_equal(SentenceCache(tmp_path).encode(encoder, SENTENCES), expected)
    assert encoder.asked == []


def _in_process(folder, seed):
    encoder = HashingSentenceEncoder(32)
    rng = np.random.default_rng(seed)
    sentences = [f"sentence {number}" for number in rng.permutation(300)]
    cache = SentenceCache(folder)
    vectors = np.concatenate(
        [cache.encode(encoder, sentences[start : start + 10]) for start in range(0, 300, 10)]
    )
    return bool((vectors == encoder.encode(sentences)).all())


def test_processes_share_a_folder(tmp_path):
    jobs = (delayed(_in_process)(tmp_path / "new", seed) for seed in range(4))
    assert all(Parallel(n_jobs=2, backend="loky")(jobs))
    assert len(SentenceCache(tmp_path / "new")) == 300


def test_no_text_and_no_secret_on_disk(tmp_path):
    cache = SentenceCache(tmp_path / "cache", secret="quite secret")
    cache.encode("hashing", ["Carcinoma of Mrs Example."])
    files = list((tmp_path / "cache").iterdir())
    assert [file.name for file in files] == ["sentences.sqlite"]
    content = files[0].read_bytes()
    for word in (b"Carcinoma", b"Example", b"secret", b"hashing"):
        assert word not in content
    assert "quite" not in repr(cache)
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_a_secret_hides_what_others_look_for(tmp_path):
    SentenceCache(tmp_path, secret="one").encode(Recording(), SENTENCES)
    encoder = Recording()
    for secret in (None, "two", b"one" * 100):
        SentenceCache(tmp_path, secret=secret).encode(encoder, SENTENCES)
    assert encoder.n_asked == 3 * 4
    SentenceCache(tmp_path, secret=b"one").encode(encoder, SENTENCES)
    assert encoder.n_asked == 3 * 4


def test_file_stays_within_its_size(tmp_path):
    limit = 400_000
    cache = SentenceCache(tmp_path, max_bytes=limit)
    for call in range(6):
        sentences = [f"{call} {number}" for number in range(100)]
        vectors = cache.encode(HashingSentenceEncoder(), sentences)
        np.testing.assert_array_equal(vectors, HashingSentenceEncoder().encode(sentences))
    assert 20 <= len(cache) < 200
    assert (tmp_path / "sentences.sqlite").stat().st_size < 2 * limit
    # smaller than a single page: nothing is kept, and nothing fails
    tiny = SentenceCache(tmp_path / "tiny", max_bytes=1)
    assert tiny.encode(Recording(), SENTENCES).shape == (5, 5)
    assert len(tiny) == 0


def test_encoder_without_lasting_fingerprint_stays_out_of_the_folder(tmp_path):
    class Plain:
        def encode(self, sentences):
            return np.ones((len(sentences), 2))

    cache = SentenceCache(tmp_path)
    encoder = Plain()
    cache.encode(encoder, SENTENCES)
    assert len(cache) == 4
    assert not (tmp_path / "sentences.sqlite").exists() or len(SentenceCache(tmp_path)) == 0


@pytest.mark.parametrize("damage", ["text", "cut", "middle"])
def test_damaged_file_says_so_and_can_be_cleared(tmp_path, damage):
    cache = SentenceCache(tmp_path)
    sentences = [f"sentence {number}" for number in range(200)]
    cache.encode("hashing", sentences)
    file = tmp_path / "sentences.sqlite"
    content = file.read_bytes()
    middle = content[:16384] + bytes(len(content) - 16384)
    file.write_bytes({"text": b"no database" * 99, "cut": content[:9000], "middle": middle}[damage])
    with pytest.raises(ValueError, match=r"damaged.*clear\(\)"):
        cache.encode("hashing", sentences)
    cache.clear()
    assert cache.encode("hashing", sentences).shape == (200, 512)


def test_file_of_another_format(tmp_path):
    with sqlite3.connect(tmp_path / "sentences.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ValueError, match="has the format 99"):
        SentenceCache(tmp_path).encode(Recording(), SENTENCES)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be used"):
        SentenceCache(tmp_path / "file" / "cache").encode(Recording(), SENTENCES)
    with pytest.raises(ValueError, match="is a file"):
        SentenceCache(tmp_path / "file")


# Parameters


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (dict(folder=5), TypeError),
        (dict(secret=5), TypeError),
        (dict(secret=""), ValueError),
        (dict(max_bytes=0), ValueError),
        (dict(max_bytes=1.5), ValueError),
        (dict(max_bytes=True), ValueError),
    ],
)
def test_parameters_are_checked(wrong, error):
    with pytest.raises(error, match=next(iter(wrong))):
        SentenceCache(**wrong)


def test_resolve(tmp_path):
    assert resolve_cache(None) is resolve_cache(None)
    assert resolve_cache(False) is None
    assert resolve_cache(tmp_path).folder == resolve_cache(str(tmp_path)).folder == tmp_path
    cache = SentenceCache()
    assert resolve_cache(cache) is cache
    for bad in (True, 5, [], SentenceCache):
        with pytest.raises(TypeError, match="cache must be"):
            resolve_cache(bad)
    with pytest.raises(ValueError, match="empty"):
        resolve_cache("")


def test_without_a_cache_equal_sentences_are_still_encoded_once():
    encoder, told = Recording(), []
    vectors = encode_sentences(encoder, SENTENCES, on_batch=lambda *done: told.append(done))
    np.testing.assert_array_equal(vectors, Recording().encode(SENTENCES))
    assert encoder.n_asked == 4
    assert told == [(4, 4)]
