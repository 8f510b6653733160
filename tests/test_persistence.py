"""Saving and loading: round trips, and files made to harm."""

import ast
import contextlib
import copy
import importlib
import inspect
import io
import json
import os
import pathlib
import pickle
import pkgutil
import re
import stat
import warnings
import zipfile
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

import sklearn_medsel
from sklearn_medsel import (
    HashingSentenceEncoder,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalCox,
    MultimodalRegressor,
    ReportAttentionClassifier,
    ReportEncoder,
    TumourPositionForecaster,
    persistence,
)
from sklearn_medsel.datasets import make_reports
from sklearn_medsel.feature_selection._cox_linear import CoxRidge
from sklearn_medsel.multimodal._terms import TermEncoder
from sklearn_medsel.text._baselines import ReportTfidf

pytest.importorskip("skops")

SCHEMA, METADATA = "schema.json", "sklearn_medsel.json"
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 6))
y = np.where(X[:, 0] - X[:, 3] > 0, "tumour", "normal")


class Toy(TransformerMixin, BaseEstimator):
    """Keeps whatever it is given."""

    def __init__(self, extra=None):
        self.extra = extra

    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        return self

    def transform(self, X):
        return X - self.mean_


class Pair(NamedTuple):
    low: float
    high: float


class Payload:
    """Runs a function when it is unpickled."""

    ran = False

    def __reduce__(self):
        return (_run, ())


def _run(*_):
    Payload.ran = True
    return {}


TOY = f"{Toy.__module__}.Toy"
PAIR = f"{Pair.__module__}.Pair"


@pytest.fixture(autouse=True)
def _no_code_ran():
    Payload.ran = False
    yield
    assert not Payload.ran


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skops"


@pytest.fixture
def saved(path):
    persistence.save(LogisticRegression().fit(X, y), path)
    return path


def save_quietly(estimator, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        persistence.save(estimator, path)


def read(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression=compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def edit(path, change):
    """Rewrite the schema of a saved file; ``change`` gets its parsed form."""
    members = read(path)
    schema = json.loads(members[SCHEMA])
    change(schema)
    members[SCHEMA] = json.dumps(schema)
    write(path, members)


def nodes(schema):
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def plant(node):
    """Return a change that puts ``node`` into the state of the saved estimator."""

    def change(schema):
        # save writes the type of each key; skops pairs them in order
        key = schema["content"]["key_types"]["content"][0]
        schema["content"]["content"]["planted"] = node
        schema["content"]["key_types"]["content"].append(key)

    return change


def plain(value, number=-1):
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
        "__id__": number,
    }


def node(loader, dotted, number=-100, **rest):
    module, _, name = dotted.rpartition(".")
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": number,
        **rest,
    }


def arguments(*values):
    content = [plain(value, -10 - i) for i, value in enumerate(values)]
    return node("TupleNode", "builtins.tuple", -2, content=content)


# --- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        SGDClassifier(random_state=0),
        SVC(kernel="linear"),
        make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()),
        make_pipeline(
            ColumnTransformer([("s", StandardScaler(), [0, 1]), ("rest", "passthrough", [2, 3])]),
            LogisticRegression(class_weight={"tumour": 2.0, "normal": 1.0}),
        ),
        make_pipeline(Toy(), LogisticRegression(random_state=np.random.RandomState(3))),
    ],
)
def test_round_trip(estimator, path):
    trusted = [TOY] if "toy" in getattr(estimator, "named_steps", {}) else []
    fitted = estimator.fit(X, y)
    save_quietly(fitted, path)
    loaded = persistence.load(path, trusted)
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert repr(loaded.get_params(deep=False).keys()) == repr(estimator.get_params(False).keys())
    if hasattr(fitted, "predict_proba"):
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -3,
        0.25,
        float("inf"),
        "gene β",
        [1, "a", None],
        (1, (2.0, "b")),
        {"a": {"b": [1]}, "c": ()},
        {1: "one", 2.5: "half"},
        {"a", "b"},
        slice(1, None, 2),
        np.arange(6.0).reshape(2, 3).T,
        np.zeros((0, 4), dtype=np.float32),
        np.array(3.5),
        np.float32(1.5),
        np.int64(7),
        np.bool_(True),
        np.str_("x"),
        np.dtype("float32"),
        np.array(["TP53", None, 3.5, ("a", 1)], dtype=object),
        np.array([["a", "b"], ["c", None]], dtype=object),
        np.array(["short", "longer name"]),
        np.array([(True, 3.5)], dtype=[("event", bool), ("time", float)]),
        np.ma.masked_array([1.0, 2.0], mask=[False, True]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_were(value, path):
    with pytest.warns(UserWarning, match=r"trusted=\['[\w.]*Toy'\]"):
        persistence.save(Toy(value), path)
    again = persistence.load(path, [TOY]).extra
    assert type(again) is type(value)
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype
        assert again.shape == value.shape
        assert again.tolist() == value.tolist()
    else:
        assert again == value


def test_random_state_continues_where_it_was(path):
    state = np.random.RandomState(5)
    state.normal(size=3)
    save_quietly(Toy(state), path)
    loaded = persistence.load(path, [TOY]).extra
    np.testing.assert_array_equal(loaded.normal(size=700), state.normal(size=700))


def test_named_tuple_of_a_trusted_type(path):
    save_quietly(Toy(Pair(0.1, 0.9)), path)
    loaded = persistence.load(path, [TOY, PAIR]).extra
    assert type(loaded) is Pair
    assert loaded == (0.1, 0.9)


def test_the_same_object_twice_stays_one_object(path):
    shared = np.arange(3.0)
    save_quietly(Toy([shared, shared]), path)
    first, second = persistence.load(path, [TOY]).extra
    assert first is second


def test_forest_needs_the_tree_named(path):
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(X, y)
    with pytest.warns(UserWarning, match=r"sklearn\.tree\._tree\.Tree"):
        persistence.save(forest, path)
    with pytest.raises(persistence.UntrustedTypeError, match=r"sklearn\.tree\._tree\.Tree") as info:
        persistence.load(path)
    assert info.value.types == ["sklearn.tree._tree.Tree"]
    loaded = persistence.load(path, ["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(loaded.predict_proba(X), forest.predict_proba(X))


def test_best_estimator_of_a_search(path):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, y)
    persistence.save(search.best_estimator_, path)
    loaded = persistence.load(path)
    assert loaded.get_params() == search.best_estimator_.get_params()


def test_text_columns(path):
    table = np.array([["F"], ["M"], ["F"]], dtype=object)
    encoder = OneHotEncoder(sparse_output=False).fit(table)
    persistence.save(encoder, path)
    np.testing.assert_array_equal(persistence.load(path).transform(table), encoder.transform(table))


def test_many_genes_make_a_small_file(path):
    names = [f"ENSG{i:011d}" for i in range(20_000)]
    table = pd.DataFrame(np.zeros((3, 20_000), dtype=np.float32), columns=names)
    persistence.save(StandardScaler().fit(table), path)
    assert path.stat().st_size < 2e6
    assert persistence.load(path).feature_names_in_.tolist() == names


# --- saving --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{"a": 1}, LogisticRegression, None, np.arange(3)])
def test_only_estimators_are_saved(value, path):
    with pytest.raises(TypeError, match="must be a scikit-learn estimator object"):
        persistence.save(value, path)
    assert not path.exists()


class Unsaveable:
    def __getstate__(self):
        raise RuntimeError("no state today")


def _circle():
    circle = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (Unsaveable(), TypeError, "no state today"),
        (_circle(), TypeError, "refers to itself"),
        (torch.nn.Linear(2, 1), TypeError, r"extra \(Linear\) is a torch module of your own"),
        (
            StandardScaler().fit,
            persistence.UntrustedTypeError,
            "StandardScaler.fit.*cannot be saved",
        ),
        (b"bytes", persistence.UntrustedTypeError, "builtins.bytes"),
        ({True: 1}, ValueError, "keys of type 'builtins.bool'"),
        ({None: 1}, ValueError, "keys of type 'builtins.NoneType'"),
    ],
    ids=["raises", "circle", "module", "method", "bytes", "bool key", "None key"],
)
def test_failed_save_keeps_the_old_file(value, error, message, saved):
    before = saved.read_bytes()
    with pytest.raises(error, match=message):
        save_quietly(Toy(value), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_full_disk_leaves_no_draft(function, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="disk full"):
        persistence.save(StandardScaler().fit(X), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")
def test_file_is_readable_like_any_other_and_links_stay(tmp_path):
    model = StandardScaler().fit(X)
    persistence.save(model, tmp_path / "real.skops")
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("real.skops", "plain")}
    assert len(modes) == 1
    (tmp_path / "link.skops").symlink_to(tmp_path / "real.skops")
    persistence.save(model, tmp_path / "link.skops")
    assert (tmp_path / "link.skops").is_symlink()


def test_caching_folder_is_not_saved(path):
    model = make_pipeline(StandardScaler(), LogisticRegression(), memory="cache").fit(X, y)
    with pytest.raises(ValueError, match=r"set_params\(memory=None\)"):
        persistence.save(model, path)
    assert not path.exists()


def test_callbacks_are_left_out(path):
    from sklearn.callback import ScoringMonitor

    model = LogisticRegression().set_callbacks(ScoringMonitor(scoring="accuracy")).fit(X, y)
    persistence.save(model, path)
    assert hasattr(model, "_skl_callbacks")
    assert not hasattr(persistence.load(path), "_skl_callbacks")


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        persistence.save(StandardScaler().fit(X), tmp_path / "none" / "model.skops")


# --- types that are not trusted ---------------------------------------------------------------


def test_payload_in_the_estimator_is_refused_by_name(path):
    payload = f"{Payload.__module__}.Payload"
    with pytest.warns(UserWarning, match=payload):
        persistence.save(Toy(Payload()), path)
    with pytest.raises(persistence.UntrustedTypeError, match=payload) as info:
        persistence.load(path)
    assert info.value.types == sorted([payload, TOY])
    with pytest.raises(ValueError, match=payload):
        persistence.load(path, [TOY])


def test_payload_hidden_in_object_arrays(path):
    deep = np.array([np.array([Payload(), 1], dtype=object), None], dtype=object)
    save_quietly(Toy(deep), path)
    with pytest.raises(persistence.UntrustedTypeError, match="Payload"):
        persistence.load(path, [TOY])


def test_class_name_swapped_for_a_command(saved):
    def change(schema):
        schema["__module__"], schema["__class__"] = "os", "system"

    edit(saved, change)
    with pytest.raises(persistence.UntrustedTypeError, match=r"'os\.system'"):
        persistence.load(saved)


OPERATOR = node(
    "OperatorFuncNode", "operator.methodcaller", attrs=arguments("system", "touch harm")
)
PARTIAL = node(
    "PartialNode",
    "functools.partial",
    content={
        "func": node("FunctionNode", "os.system", -3),
        "args": arguments("touch harm"),
        "kwds": node("DictNode", "builtins.dict", -4, content={}, key_types=None),
        "namespace": plain(None, -5),
    },
)
METHOD = node(
    "MethodNode",
    "builtins.str",
    content={"func": "__class__", "obj": plain("x", -6)},
)


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        (OPERATOR, "operator.methodcaller"),
        (PARTIAL, "functools.partial"),
        (METHOD, "builtins.str.__class__"),
        (node("CachedNode", "builtins.str"), "builtins.str"),
        (node("BytesNode", "builtins.bytes", file="x.bin"), "builtins.bytes"),
        (
            node("ConstructorFromReduceNode", "subprocess.Popen", content=arguments("harm")),
            "subprocess.Popen",
        ),
        (
            node("SparseMatrixNode", "scipy.sparse._matrix.spmatrix", type="scipy", file="1.npz"),
            "scipy.sparse._matrix.spmatrix",
        ),
        (node("RandomGeneratorNode", "numpy.random._generator.Generator"), "Generator"),
        (node("SomethingNode", "builtins.str"), "builtins.str"),
        (node("ListNode", "os.system", content=[plain("harm")]), "os.system"),
        (node("SetNode", "os.system", content=[plain("harm")]), "os.system"),
        (node("RandomStateNode", "os.abort", content=plain({})), "os.abort"),
        (node("NdArrayNode", "numpy.void", type="numpy", file="-100.npy"), "numpy.void"),
        (node("NdArrayNode", "os.system", type="json", content=[], shape=plain([])), "os.system"),
        (node("TypeNode", "os.system"), "os.system"),
        (node("FunctionNode", "os.system"), "os.system"),
        (node("FunctionNode", "builtins.eval"), "builtins.eval"),
        (node("TupleNode", "os.system", content=[plain("harm")]), "os.system"),
        (node("ObjectNode", "skorch.net.NeuralNet", content=plain({})), "skorch.net.NeuralNet"),
    ],
    ids=lambda value: value["__loader__"] + ":" + value["__class__"] if type(value) is dict else "",
)
def test_planted_node_is_refused_by_name(planted, name, saved, tmp_path):
    edit(saved, plant(planted))
    with pytest.raises(persistence.UntrustedTypeError, match=name):
        persistence.load(saved)


CALLED = f"{Payload.__module__}._run"


@pytest.mark.parametrize(
    "planted",
    [
        node("ListNode", CALLED, content=[plain("x")]),
        node("ConstructorFromReduceNode", CALLED, content=arguments("x")),
        node("RandomStateNode", CALLED, content=plain({})),
        node("DictNode", CALLED, content={}, key_types=None),
        node("NdArrayNode", CALLED, type="json", content=[], shape=plain([])),
        node(
            "DictNode",
            "builtins.dict",
            content={"x": plain(1, -7)},
            key_types=node("ListNode", "builtins.list", -8, content=[node("TypeNode", CALLED, -9)]),
        ),
        node("TupleNode", CALLED, content=[plain("x")]),
        node("ObjectNode", CALLED, content=arguments("x")),
        node("LossNode", CALLED, content=plain({}), **{"__reduce__": {"args": arguments("x")}}),
    ],
    ids=lambda value: value["__loader__"],
)
def test_trusting_a_function_lets_no_file_call_it_where_a_type_belongs(planted, saved):
    edit(saved, plant(planted))
    with pytest.raises(ValueError, match=r"never loaded|keys of type|damaged|not written as"):
        persistence.load(saved, [CALLED])


@pytest.mark.parametrize(
    ("trusted", "error"),
    [
        (True, TypeError),
        ("os.system", TypeError),
        (b"os", TypeError),
        ([Toy], TypeError),
        ([1], TypeError),
        (None, TypeError),
        (["Toy"], ValueError),
        (["a b.c"], ValueError),
        ([""], ValueError),
    ],
)
def test_trusted_must_be_dotted_names(trusted, error, saved):
    with pytest.raises(error, match="trusted must"):
        persistence.load(saved, trusted)


# --- edited schemas ---------------------------------------------------------------------------


def test_other_protocol_is_refused(saved):
    edit(saved, lambda schema: schema.update(protocol=1))
    with pytest.raises(ValueError, match="protocol"):
        persistence.load(saved)


def test_one_number_for_two_objects_means_the_first(saved):
    """A second object cannot hide behind the number of a first one that was checked."""

    def change(schema):
        first = next(n for n in nodes(schema) if n["__loader__"] == "NdArrayNode")
        plant(plain("other", first["__id__"]))(schema)

    edit(saved, change)
    loaded = persistence.load(saved)
    assert isinstance(loaded.planted, np.ndarray)


def test_number_of_a_forbidden_position_is_looked_up(path):
    """The position is read through its number, wherever the number was defined first."""
    save_quietly(Toy(["first", np.random.RandomState(0)]), path)

    def change(schema):
        state = next(n for n in nodes(schema) if n["__loader__"] == "RandomStateNode")
        position = state["content"]["content"]["state"]["content"]["pos"]
        extra = schema["content"]["content"]["extra"]["content"]
        extra[0] = plain(10**9, position["__id__"])

    edit(path, change)
    with pytest.raises(ValueError, match="position outside"):
        persistence.load(path, [TOY])


def test_object_that_contains_itself(saved):
    def change(schema):
        plant({**schema, "content": plain(1)})(schema)

    edit(saved, change)
    with pytest.raises(ValueError, match="contains itself"):
        persistence.load(saved)


@pytest.mark.parametrize("position", [-1, 625, 10**9, 1.5, True, "1"])
def test_random_state_cannot_read_outside_of_itself(position, path):
    save_quietly(Toy(np.random.RandomState(0)), path)

    def change(schema):
        state = next(n for n in nodes(schema) if n["__loader__"] == "RandomStateNode")
        state["content"]["content"]["state"]["content"]["pos"]["content"] = json.dumps(position)

    edit(path, change)
    with pytest.raises(ValueError, match="position outside"):
        persistence.load(path, [TOY])


def test_caching_folder_planted_in_a_pipeline_is_refused(path):
    persistence.save(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), path)

    def change(schema):
        assert "memory" in schema["content"]["content"]
        schema["content"]["content"]["memory"] = plain("//server/share")

    edit(path, change)
    with pytest.raises(ValueError, match="memory= set to a folder"):
        persistence.load(path)


def test_two_arrays_cannot_share_one_file(saved):
    def change(schema):
        first = next(n for n in nodes(schema) if n["__loader__"] == "NdArrayNode" and "file" in n)
        plant({**first, "__id__": 1})(schema)

    edit(saved, change)
    with pytest.raises(ValueError, match="save never uses"):
        persistence.load(saved)


def test_objects_nested_without_end(saved):
    def change(schema):
        deep = plain(1)
        for number in range(300):
            deep = node("ListNode", "builtins.list", number, content=[deep])
        plant(deep)(schema)

    edit(saved, change)
    with pytest.raises(ValueError, match="levels deep"):
        persistence.load(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"{}",
        b'{"protocol": true}',
        b'{"protocol": 2}',
        b'{"protocol": 2, "__loader__": 3, "__class__": "a", "__module__": "b", "__id__": 1}',
        b'{"protocol": 2, "__loader__": [], "__class__": "a", "__module__": "b", "__id__": 1}',
        b'{"protocol": 2, "__loader__": "JsonNode", "__class__": "str", "__module__": "builtins",'
        b' "__id__": 1, "content": "{}"}',
    ],
)
def test_broken_schema_is_a_value_error(content, saved):
    members = read(saved)
    write(saved, {SCHEMA: content, METADATA: members[METADATA]})
    with pytest.raises(ValueError, match=str(saved)):
        persistence.load(saved)


def test_random_edits_of_the_schema_are_value_errors(saved):
    """Damage one spot at a time: nothing but a ValueError, or an estimator, comes out."""
    members = read(saved)
    text = members[SCHEMA].decode()
    generator = np.random.default_rng(1)
    for _ in range(150):
        i, j = np.sort(generator.integers(len(text), size=2))
        j = min(j, i + 30)
        damaged = text[:i] + generator.choice(["", "0", "[]", "null", '"x"', "{"]) + text[j:]
        write(saved, {**members, SCHEMA: damaged}, compression=zipfile.ZIP_STORED)
        try:
            loaded = persistence.load(saved)
        except ValueError:
            continue
        assert isinstance(loaded, ClassifierMixin)


# --- other files ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickle_under_another_name(protocol, path):
    path.write_bytes(pickle.dumps(Payload(), protocol=protocol))
    with pytest.raises(ValueError, match="was expected"):
        persistence.load(path)


@pytest.mark.parametrize("content", [b"", b"P", b"gene,x\nTP53,1\n", b"PK\x03\x04", b"\0" * 100])
def test_not_such_a_file(content, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=str(path)):
        persistence.load(path)


def test_truncated_files(saved):
    content = saved.read_bytes()
    for end in np.linspace(1, len(content) - 1, 25).astype(int):
        saved.write_bytes(content[:end])
        with pytest.raises(ValueError, match=str(saved)):
            persistence.load(saved)


def test_flipped_bytes(saved):
    content = saved.read_bytes()
    for position in np.linspace(0, len(content) - 1, 80).astype(int):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        saved.write_bytes(damaged)
        with contextlib.suppress(ValueError):  # some bytes, such as dates, mean nothing
            assert isinstance(persistence.load(saved), LogisticRegression)


def test_plain_skops_file_is_refused(path):
    import skops.io

    skops.io.dump(LogisticRegression().fit(X, y), path)
    with pytest.raises(ValueError, match=METADATA):
        persistence.load(path)


@pytest.mark.parametrize(
    "name",
    ["../harm.npy", "/etc/harm", "a/b.npy", "C:\\harm.npy", "harm.py", "harm.npy", "1.npy\n"],
)
def test_members_with_paths_or_other_names(name, saved, tmp_path):
    write(saved, {**read(saved), name: b"x"})
    with pytest.raises(ValueError, match="which save never writes"):
        persistence.load(saved)
    assert os.listdir(tmp_path) == [saved.name]


def test_duplicate_members(saved):
    with (
        zipfile.ZipFile(saved, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr(SCHEMA, b"{}")
    with pytest.raises(ValueError, match="two members of one name"):
        persistence.load(saved)


def test_member_that_nothing_refers_to(saved):
    write(saved, {**read(saved), "7.npy": b"x"})
    with pytest.raises(ValueError, match=r"refers to its member 7\.npy"):
        persistence.load(saved)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_without_a_bound(compression, saved):
    write(saved, read(saved), compression)
    with pytest.raises(ValueError, match="compressed in a way"):
        persistence.load(saved)


def test_declared_size_above_the_limit(saved):
    bomb = io.BytesIO()
    np.save(bomb, np.zeros(5_000_000))
    write(saved, {**read(saved), "7.npy": bomb.getvalue()})
    assert saved.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"unpacks to 40,.*max_size"):
        persistence.load(saved, max_size=10_000_000)


def test_real_size_above_the_declared_one(saved):
    """The central directory says 100 bytes; the member unpacks to 200 MB."""
    import tracemalloc

    write(saved, {**read(saved), "7.npy": b"\0" * 200_000_000})
    content = bytearray(saved.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    saved.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"damaged|declares"):
            persistence.load(saved)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_file_larger_than_allowed_is_not_read(saved):
    with pytest.raises(ValueError, match="larger than max_size=100 bytes"):
        persistence.load(saved, max_size=100)


def test_too_many_members(saved):
    members = read(saved)
    write(saved, members | {f"{i}.npy": b"" for i in range(20_100)}, zipfile.ZIP_STORED)
    with pytest.raises(ValueError, match="more than 20,000 members"):
        persistence.load(saved)


def _npy(array, **kwargs):
    buffer = io.BytesIO()
    np.save(buffer, array, **kwargs)
    return buffer.getvalue()


def _header(text):
    body = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Payload()),
        _npy(np.array([Payload()], dtype=object), allow_pickle=True),
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**15,), }"),
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }"),
        _header("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000000,), }"),
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }") + b"\0" * 8,
        _header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }") + b"\0" * 24,
        _header("__import__('os').abort()"),
        b"PK\x03\x04 a zip in place of an array",
        b"",
        b"\x93NUMPY\x03\x00",
    ],
    ids=[
        "pickle",
        "object",
        "expression",
        "huge",
        "widthless",
        "negative",
        "longer",
        "code",
        "zip",
        "empty",
        "v3",
    ],
)
def test_hostile_arrays(content, saved):
    members = read(saved)
    name = next(n for n in members if n.endswith(".npy"))
    write(saved, {**members, name: content})
    with pytest.raises(ValueError, match="the array"):
        persistence.load(saved)


# --- versions -----------------------------------------------------------------------------------


def edit_metadata(path, **changes):
    members = read(path)
    metadata = json.loads(members[METADATA])
    versions = metadata["versions"] | changes.pop("versions", {})
    write(path, {**members, METADATA: json.dumps({**metadata, "versions": versions, **changes})})


@pytest.mark.parametrize("package", ["scikit-learn", "numpy", "torch"])
def test_other_minor_version_warns_with_both(package, saved):
    edit_metadata(saved, versions={package: "0.1.7"})
    import importlib.metadata

    here = importlib.metadata.version(package).split("+")[0]
    with pytest.warns(UserWarning, match=rf"{package} 0\.1\.7 \(here {here}"):
        persistence.load(saved)


def test_other_patch_version_is_silent(saved):
    here = json.loads(read(saved)[METADATA])["versions"]["numpy"]
    edit_metadata(saved, versions={"numpy": ".".join(here.split(".")[:2]) + ".99"})
    persistence.load(saved)


def test_newer_format_is_refused(saved):
    edit_metadata(saved, format=2)
    with pytest.raises(ValueError, match=r"format 2; .* reads up to 1\. Update"):
        persistence.load(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": None},
        {"format": True},
        {"format": "1"},
        {"format": 0},
        {"versions": {"numpy": None}},
        {"versions": {"numpy": "\x1b[31m1.0"}},
        {"versions": {"numpy": "1" * 500}},
    ],
)
def test_broken_metadata(changes, saved):
    edit_metadata(saved, **changes)
    with pytest.raises(ValueError, match="gives no valid"):
        persistence.load(saved)


# --- the package's own estimators -----------------------------------------------------------------


def _survival(X):
    time = np.exp(-X[:, 0]) * (1 + np.arange(len(X)) % 7)
    event = np.arange(len(X)) % 3 > 0
    return np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])


# Parameters that make each quick to fit, and a target for it. All others: none, and labels.
SETTINGS = {
    "DeepFeatureSelector": ({"n_features_to_select": 2, "random_state": 0, "n_repeats": 3}, y),
    "DeepFeatureClassifier": ({"random_state": 0, "n_repeats": 2, "max_epochs": 5}, y),
    "DeepFeatureRegressor": ({"random_state": 0, "n_repeats": 2, "max_epochs": 5}, X[:, 1]),
    "DeepFeatureCox": ({"random_state": 0, "n_repeats": 2, "max_epochs": 5}, _survival(X)),
    "CoxLasso": ({}, _survival(X)),
    "ResidualForest": ({"n_estimators": 5}, _survival(X)),
    "CoxRidge": ({}, _survival(X)),
    "UnivariateCox": ({}, _survival(X)),
    "RiskStratifier": (
        {"estimator": CoxRidge(), "cv": 2, "inner_cv": 2, "random_state": 0},
        _survival(X),
    ),
    "SubtypeClusterer": (
        {"n_clusters": 2, "n_resamples": 5, "n_references": 3, "random_state": 0},
        _survival(X),
    ),
    "PersistenceForecaster": ({}, None),
    "LSTMForecaster": (
        {"horizons": (0.2,), "history": 0.6, "max_epochs": 1, "random_state": 0},
        None,
    ),
}
# Those that take reports, images or several modalities, and the forecaster with all it holds, have
# tests of their own below.
OWN = [
    name
    for name in persistence.OWN_TYPES
    if not name.endswith((".Stability", ".LogrankResult"))
    and not name.startswith(("sklearn_medsel.text.", "sklearn_medsel.image."))
    and (".forecasting." not in name or ".forecasting._baseline_" in name)
    and (".multimodal." not in name or name.endswith(".SubtypeClusterer"))
]
OWN_TEXT = {
    "classifier": lambda: ReportAttentionClassifier("hashing", cv=2, max_epochs=1, random_state=0),
    "encoder": lambda: ReportEncoder("hashing", n_components=3),
    "tfidf": ReportTfidf,
}
BLOCKS = [
    ("clinical", "table", ["age", "stage", "site", "status"]),
    ("genes", "table", "gene*"),
    ("report", "text", "report"),
    ("scan", "image", "scan"),
]
OWN_MODALITIES = {
    cls.__name__: lambda cls=cls: cls(
        BLOCKS, base="clinical", cv=2, max_epochs=2, n_permutations=10, random_state=0
    )
    for cls in (MultimodalClassifier, MultimodalRegressor, MultimodalCox)
}
OTHERS = (MultimodalClassifier, MultimodalRegressor, MultimodalCox, ImageEncoder, TermEncoder)
OWN_COLUMNS = {
    "TermEncoder": TermEncoder,
    "ImageEncoder": lambda: ImageEncoder(16, cv=2, max_epochs=1, n_components=2, random_state=0),
}


def _own(dotted):
    module, _, name = dotted.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    params, target = SETTINGS.get(name, ({}, y))
    known = inspect.signature(cls).parameters
    return cls(**{key: value for key, value in params.items() if key in known}), target


def _answers(estimator):
    """Everything that a fitted estimator says about X, and its importances."""
    found = {}
    for name in ("transform", "predict", "predict_proba", "decision_function"):
        if hasattr(estimator, name):
            found[name] = np.asarray(getattr(estimator, name)(X))
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    for name in ("coef_", "feature_importances_", "support_", "qvalues_", "path_", "clusters_"):
        if hasattr(last, name):
            found[name] = np.asarray(getattr(last, name))
    return found


def _params(estimator):
    """Parameters; of an estimator among them its type, as its own parameters are there too."""
    return {
        name: type(value) if isinstance(value, BaseEstimator) else value
        for name, value in estimator.get_params().items()
    }


def _knows_the_same(found, expected):
    """Compare all public attributes that fit makes, tables and estimators among them."""
    for name in dir(expected):
        if name.endswith("_") and not name.startswith("_"):
            try:
                value = getattr(expected, name)
            except AttributeError:  # not known with these parameters
                continue
            _is_the_same(getattr(found, name), value, name)


def _is_the_same(found, expected, name):
    assert type(found) is type(expected), name
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected)
    elif isinstance(expected, BaseEstimator):
        _knows_the_same(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected), name
        for key, value in expected.items():
            _is_the_same(found[key], value, f"{name}[{key!r}]")
    else:
        np.testing.assert_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("dotted", OWN)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_own_estimator_comes_back(dotted, in_pipeline, path):
    estimator, target = _own(dotted)
    model = make_pipeline(StandardScaler(), estimator) if in_pipeline else estimator
    fitted = model.fit(X, target)
    expected = _answers(fitted)
    assert expected
    persistence.save(fitted, path)
    loaded = persistence.load(path)
    # saved again it is still the same, so nothing was lost on the way
    persistence.save(loaded, path)
    for again in (loaded, persistence.load(path)):
        found = _answers(again)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)
        if not in_pipeline:
            np.testing.assert_equal(_params(again), _params(fitted))
            assert vars(again).keys() >= {name for name in vars(fitted) if name.endswith("_")}
            _knows_the_same(again, fitted)


@pytest.mark.parametrize("method", ["path", "mori"])
@pytest.mark.parametrize("n_features", [None, 2, "auto"])
def test_selector_keeps_all_it_knows(method, n_features, path):
    from sklearn_medsel.feature_selection import DeepFeatureSelector

    table = pd.DataFrame(X, columns=[f"gene {i}" for i in range(X.shape[1])])
    selector = DeepFeatureSelector(n_features, method=method, n_repeats=3, random_state=0)
    fitted = selector.fit(table, y)
    persistence.save(fitted, path)
    loaded = persistence.load(path)
    _knows_the_same(loaded, fitted)
    assert list(loaded.get_feature_names_out()) == list(fitted.get_feature_names_out())


@pytest.mark.parametrize("dotted", OWN)
def test_own_estimator_not_fitted_comes_back(dotted, path):
    estimator, _ = _own(dotted)
    persistence.save(estimator, path)
    np.testing.assert_equal(_params(persistence.load(path)), _params(estimator))


@pytest.mark.parametrize("dotted", OWN)
def test_own_state_is_never_unpickled(dotted):
    """A pickle in any field of the state stays what it is: bytes."""
    estimator, target = _own(dotted)
    estimator.fit(X, target)
    state = estimator.__getstate__()
    payload = pickle.dumps(Payload())
    for key in state:
        for harm in (payload, np.frombuffer(payload, dtype=np.uint8), np.void(payload)):
            victim = type(estimator).__new__(type(estimator))
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                victim.__setstate__({**state, key: harm})
                _answers(victim)
            assert not Payload.ran, key


@pytest.fixture(scope="module", params=list(OWN_TEXT))
def of_reports(request):
    """A fitted estimator of reports, and what it answers for some."""
    data = make_reports(n_reports=60, random_state=0)

    def answers(estimator):
        names = ("transform", "predict", "predict_proba")
        asked = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
        given = [ask(data.X) for ask in asked]
        return [values.toarray() if hasattr(values, "toarray") else values for values in given]

    return OWN_TEXT[request.param]().fit(data.X, data.y), answers


def test_estimator_of_reports_comes_back(of_reports, path):
    estimator, answers = of_reports
    persistence.save(estimator, path)
    loaded = persistence.load(path)
    persistence.save(loaded, path)
    for again in (loaded, persistence.load(path)):
        for found, expected in zip(answers(again), answers(estimator), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert vars(again).keys() == vars(estimator).keys()


@pytest.mark.parametrize("make", OWN_TEXT.values(), ids=OWN_TEXT)
def test_estimator_of_reports_not_fitted_comes_back(make, path):
    persistence.save(make(), path)
    assert persistence.load(path).get_params() == make().get_params()


def test_encoder_as_a_parameter_comes_back(path):
    model = ReportEncoder(HashingSentenceEncoder(64)).fit(["No mass. Heart normal.", "A mass."])
    persistence.save(model, path)
    found = persistence.load(path).transform(["No mass."])
    np.testing.assert_array_equal(found, model.transform(["No mass."]))


def test_state_of_reports_is_never_unpickled(of_reports):
    estimator, answers = of_reports
    state = estimator.__getstate__()
    payload = pickle.dumps(Payload())
    for key in state:
        for harm in (payload, np.frombuffer(payload, dtype=np.uint8), np.void(payload)):
            victim = type(estimator).__new__(type(estimator))
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                victim.__setstate__({**state, key: harm})
                answers(victim)
            assert not Payload.ran, key


@pytest.fixture(scope="module", params=["positions", "surrogate", "frames"])
def of_motion(request):
    """A fitted forecaster, and what it answers for some X, on the whole and moment by moment."""
    if request.param == "frames":
        cine = request.getfixturevalue("cine")
        table = cine.X[:24]
        moments = [dict(zip(table.planes, frames, strict=True)) for frames in table.frames]
        forecaster = cine.forecaster
    else:
        motion = 5 * np.sin(np.arange(40.0)[:, None] / [4, 5, 6])
        table = motion / 10 if request.param == "surrogate" else motion
        moments = [{"position": position} for position in table]
        forecaster = TumourPositionForecaster((0.4,), history=0.6, max_epochs=1, random_state=0)
        forecaster.fit(table, motion)

    def answers(estimator, n_steps=24):
        session = estimator.start_session(deadline=np.inf)
        for row, given in enumerate(moments[:n_steps]):
            last = session.update(0.25 * row, **given)
        last = np.concatenate(list(last.position.values()))
        return [estimator.predict(table[:n_steps]), last, estimator.weights_]

    return forecaster, answers


def test_forecaster_comes_back(of_motion, path):
    forecaster, answers = of_motion
    persistence.save(forecaster, path)
    loaded = persistence.load(path)
    persistence.save(loaded, path)
    for again in (loaded, persistence.load(path)):
        for found, expected in zip(answers(again), answers(forecaster), strict=True):
            np.testing.assert_array_equal(found, expected)
        assert vars(again).keys() == vars(forecaster).keys()
        np.testing.assert_equal(again.get_params(), forecaster.get_params())


def test_forecaster_not_fitted_comes_back(path):
    forecaster = TumourPositionForecaster(planes=("coronal",), experts=("ridge",))
    persistence.save(forecaster, path)
    assert persistence.load(path).get_params() == forecaster.get_params()


def test_state_of_motion_is_never_unpickled(of_motion):
    """A pickle in any field of the forecaster or of what it holds stays what it is: bytes."""
    forecaster, answers = of_motion
    holders = [name for name in ("model_", "tracker_") if getattr(forecaster, name) is not None]
    harm = pickle.dumps(Payload())
    for holder in (None, *holders):
        state = vars(getattr(forecaster, holder) if holder else forecaster)
        for key in state:
            part = copy.copy(getattr(forecaster, holder) if holder else forecaster)
            vars(part)[key] = harm
            victim = copy.copy(forecaster)
            vars(victim).update({holder: part} if holder else vars(part))
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers(victim, n_steps=3)
            assert not Payload.ran, key


@pytest.fixture(scope="module")
def patients():
    """Columns of every kind, some cells missing."""
    rng = np.random.default_rng(0)
    genes = [f"gene{k}" for k in range(X.shape[1])]
    table = pd.DataFrame(X, columns=genes, index=[f"p{k}" for k in range(len(X))])
    table[genes[1]] = table[genes[1]].mask(rng.random(len(X)) < 0.2)
    table["age"] = rng.integers(30, 90, len(X))
    table["stage"] = rng.choice(["Stage I", "Stage IIA", "Stage III"], len(X))
    table["site"] = rng.choice(["a", "b", "c"], len(X))
    table["status"] = pd.Categorical(rng.choice(["bad", "good"], len(X)), ordered=True)
    table["report"] = np.where(y == "tumour", "Large mass. Heart normal.", "No mass.")
    table["scan"] = list(rng.random((len(X), 16, 16)))
    table.loc[table.index[:4], ["report", "scan"]] = None
    return table


@pytest.fixture(scope="module", params=[*OWN_MODALITIES, *OWN_COLUMNS])
def of_modalities(request, patients):
    """A fitted estimator of several modalities or of one column, and what it answers."""
    targets = {"MultimodalRegressor": X[:, 1], "MultimodalCox": _survival(X)}
    column = {"TermEncoder": "report", "ImageEncoder": "scan"}.get(request.param)
    given = patients if column is None else patients[column]
    make = {**OWN_MODALITIES, **OWN_COLUMNS}[request.param]
    fitted = make().fit(given, targets.get(request.param, y))

    def answers(estimator, names=("predict", "predict_proba", "transform", "explain_modalities")):
        asked = [getattr(estimator, name) for name in names if hasattr(estimator, name)]
        return [np.asarray(ask(given)) for ask in asked]

    return fitted, answers


def test_estimator_of_modalities_comes_back(of_modalities, path):
    estimator, answers = of_modalities
    expected = answers(estimator)
    persistence.save(estimator, path)
    loaded = persistence.load(path)
    persistence.save(loaded, path)
    for again in (loaded, persistence.load(path)):
        for found, values in zip(answers(again), expected, strict=True):
            np.testing.assert_array_equal(found, values)
        assert vars(again).keys() == vars(estimator).keys()
        _knows_the_same(again, estimator)


@pytest.mark.parametrize("name", [*OWN_MODALITIES, *OWN_COLUMNS])
def test_estimator_of_modalities_not_fitted_comes_back(name, path):
    estimator = {**OWN_MODALITIES, **OWN_COLUMNS}[name]()
    persistence.save(estimator, path)
    np.testing.assert_equal(persistence.load(path).get_params(), estimator.get_params())


def test_state_of_modalities_is_never_unpickled(of_modalities):
    """A pickle in any field of the estimator or of what it holds stays what it is: bytes."""
    estimator, answers = of_modalities
    harm = pickle.dumps(Payload())
    for holder in (None, *({"_encoding", "_fused"} & vars(estimator).keys())):
        part = getattr(estimator, holder) if holder else estimator
        for key in vars(part):
            spoilt = copy.copy(part)
            vars(spoilt)[key] = harm
            victim = copy.copy(estimator)
            vars(victim).update({holder: spoilt} if holder else vars(spoilt))
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # without explanations: so many sets of blocks as of bytes would never end
                answers(victim, ("predict", "transform"))
            assert not Payload.ran, key


def test_every_type_of_the_fusion_is_stored(patients, path):
    """What no file holds has no place on the list."""
    persistence.save(OWN_MODALITIES["MultimodalClassifier"]().fit(patients, y), path)
    schema = read(path)[SCHEMA].decode()
    listed = [name for name in persistence.OWN_TYPES if ".multimodal." in name]
    kinds = (".SubtypeClusterer", ".MultimodalCox", ".MultimodalRegressor")
    for name in listed:
        module, _, kind = name.rpartition(".")
        held = f'"__class__": "{kind}", "__module__": "{module}"' in schema
        assert held is not name.endswith(kinds), name


def test_the_list_names_every_estimator_of_the_package():
    found = set()
    for module in pkgutil.walk_packages(sklearn_medsel.__path__, "sklearn_medsel."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, BaseEstimator):
                    found.add(value)
    ours = {
        cls
        for cls in found
        if cls.__module__.startswith("sklearn_medsel.") and not cls.__name__.startswith("_")
    }
    bases = {base for cls in ours for base in cls.__mro__[1:]}
    found = {f"{cls.__module__}.{cls.__qualname__}" for cls in ours - bases}
    # these live inside of a comparison, which gives a table and keeps no model
    found -= {
        "sklearn_medsel._cli._fuse_folds.KnownScores",
        "sklearn_medsel.multimodal._compare_models.BlockBaseline",
    }
    text = {f"{type(make()).__module__}.{type(make()).__qualname__}" for make in OWN_TEXT.values()}
    assert found == {
        *OWN,
        *text,
        *(f"{cls.__module__}.{cls.__qualname__}" for cls in OTHERS),
        "sklearn_medsel.text._encoder_hashing.HashingSentenceEncoder",
        "sklearn_medsel.forecasting._forecaster.TumourPositionForecaster",
    }
    assert found <= set(persistence.OWN_TYPES)


# --- the package itself ---------------------------------------------------------------------------


def test_the_package_never_unpickles():
    """No module may read a pickle, so no __setstate__ of ours can be handed one."""
    root = pathlib.Path(sklearn_medsel.__path__[0])
    harmful = {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    loaders = {("joblib", "load"), ("torch", "load"), ("pd", "read_pickle"), ("skops", "card")}
    # hashes what cloudpickle would write; it must name nothing that reads
    writer = root / "text" / "_fingerprints.py"
    assert not re.search(r"\bloads?\b|[uU]npickl", writer.read_text(encoding="utf-8"))
    for file in root.rglob("*.py"):
        for item in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(item, ast.Import) and file != writer:
                assert not harmful & {alias.name.split(".")[0] for alias in item.names}, file
            if isinstance(item, ast.ImportFrom) and item.module:
                assert item.module.split(".")[0] not in harmful, file
                found = {(item.module.split(".")[0], alias.name) for alias in item.names}
                assert not found & loaders, file
            if isinstance(item, ast.Attribute) and isinstance(item.value, ast.Name):
                assert (item.value.id, item.attr) not in loaders, file
            if isinstance(item, ast.keyword) and item.arg == "allow_pickle":
                assert getattr(item.value, "value", True) is False, file


def test_missing_skops_names_the_extra(saved, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skops.io", None)
    monkeypatch.setitem(__import__("sys").modules, "skops", None)
    for call in (persistence.load, lambda path: persistence.save(StandardScaler(), path)):
        with pytest.raises(ImportError, match=r"sklearn-medsel\[share\]"):
            call(saved)
