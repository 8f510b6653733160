"""Blocks as numbers: tables with mixed columns, text, images, and who has which block."""

import datetime
import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, chi2
from sklearn.linear_model import Lasso
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from sklearn_medsel import ReportEncoder
from sklearn_medsel.multimodal._availability import check_availability
from sklearn_medsel.multimodal._encoding import BlockEncoding
from sklearn_medsel.multimodal._table import TableEncoder
from sklearn_medsel.survival import concordance_index, make_survival_y

N = 120


def make_table(seed=0, n=N):
    """Columns of every kind, some cells missing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(30, 90, n),
            "crp": np.exp(2 * rng.normal(size=n)),
            "change": rng.standard_t(1.2, n),
            "smoker": rng.random(n) < 0.3,
            "sex": rng.choice(["F", "M"], n),
            "race": rng.choice(["a", "b", "c", "d", "e"], n, p=[0.5, 0.3, 0.16, 0.02, 0.02]),
            "stage": rng.choice(["Stage I", "Stage IIA", "Stage III", "Stage X"], n),
            "kps": pd.Categorical(rng.choice(["bad", "fair", "good"], n), ordered=True),
            "site": ["lung"] * n,
        },
        index=[f"p{k}" for k in range(n)],
    )
    table["crp"] = table["crp"].mask(rng.random(n) < 0.2)
    table.loc[rng.random(n) < 0.1, "race"] = "[Not Available]"
    return table


def column(encoder, values, name):
    return values[:, encoder.names_.tolist().index(name)]


def test_every_kind_of_column_becomes_numbers():
    table = make_table()
    before = table.copy(deep=True)
    encoder = TableEncoder("clin")
    values, _ = encoder.fit_transform(table)
    assert encoder.names_.tolist() == [
        "age", "crp", "crp_missing", "change", "smoker", "sex=" + table.sex.value_counts().index[1],
        "race=a", "race=b", "race=c", "race=(rare)", "race_missing", "stage",
        "stage_missing", "kps",
    ]  # fmt: skip
    assert encoder.origin_.tolist()[5:9] == ["sex", "race", "race", "race"]
    assert encoder.dropped_ == ["site"]
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 5
    clipped = ("crp", "change", "race=(rare)")
    ordinary = [k for k, name in enumerate(encoder.names_) if name not in clipped]
    np.testing.assert_allclose(values[:, ordinary].mean(axis=0), 0, atol=1e-12)
    # that a value is missing counts for less than a value
    sizes = [0.3 if encoder.names_[k].endswith("_missing") else 1 for k in ordinary]
    np.testing.assert_allclose(values[:, ordinary].std(axis=0), sizes)
    pd.testing.assert_frame_equal(table, before)
    again, present = encoder.transform(table)
    np.testing.assert_array_equal(again, values)
    assert present.all()


def test_missing_numbers_are_at_the_median_and_told():
    table = make_table()
    encoder = TableEncoder()
    values, _ = encoder.fit_transform(table)
    crp, told = column(encoder, values, "crp"), column(encoder, values, "crp_missing")
    gone = table["crp"].isna().to_numpy()
    assert np.ptp(crp[gone]) == 0
    np.testing.assert_allclose(crp[gone][0], np.median(crp[~gone]))
    assert told[gone].min() > 0 > told[~gone].max()


def test_what_is_seldom_or_nearly_always_missing_is_not_told():
    table = pd.DataFrame({name: np.arange(100.0) for name in "abcd"})  # d is never missing
    table.loc[:3, "a"] = np.nan
    table.loc[:95, "b"] = np.nan
    table.loc[:9, "c"] = np.nan
    encoder = TableEncoder().fit(table)
    assert encoder.names_.tolist() == ["a", "b", "c", "c_missing", "d"]


def test_columns_missing_together_tell_it_once():
    table = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) ** 2, "c": np.arange(40.0)})
    table.loc[:9, ["a", "b"]] = np.nan
    assert TableEncoder().fit(table).names_.tolist() == ["a", "a_missing", "b", "c"]


def test_a_column_called_like_what_is_missing_keeps_its_name():
    table = make_table()[["crp"]].assign(crp_missing=np.arange(N))
    assert TableEncoder().fit(table).names_.tolist() == ["crp", "crp_missing_", "crp_missing"]


def test_heavy_tails_are_tamed_and_order_is_kept():
    table = make_table()
    encoder = TableEncoder()
    values, _ = encoder.fit_transform(table)
    for name in ("crp", "change"):
        known = table[name].notna()
        inner = column(encoder, values, name)[known]
        order = np.argsort(table[name][known].to_numpy())
        assert (np.diff(inner[order]) >= 0).all()
        raw = (table[name] - table[name].mean()) / table[name].std()
        assert abs(pd.Series(inner).skew()) < abs(raw.skew()) / 2


def test_rare_levels_share_a_feature_and_new_ones_are_at_the_mean():
    table = pd.DataFrame({"x": np.arange(200), "t": ["a"] * 90 + ["b"] * 95 + list("cde") * 5})
    encoder = TableEncoder().fit(table)
    assert encoder.names_.tolist() == ["x", "t=a", "t=b", "t=(rare)"]
    new = pd.DataFrame({"x": [1, 1, 1], "t": ["zebra", None, "e"]})
    values, _ = encoder.transform(new)
    np.testing.assert_array_equal(values[:2, 1:], 0)
    assert values[2, 3] > 1


@pytest.mark.parametrize("n_known", [80, 20])
@pytest.mark.parametrize("n_each", [1, 2])
def test_values_that_few_patients_share_are_not_dropped_without_a_word(n_known, n_each):
    table = pd.DataFrame({"x": range(80), "date": [f"2020-{k // n_each}" for k in range(80)]})
    table.loc[n_known:, "date"] = None
    message = "block 'clin': no value in column 'date' is shared by enough patients.*dates"
    with pytest.warns(UserWarning, match=message) as caught:
        encoder = TableEncoder("clin").fit(table)
    assert "2020" not in str(caught[0].message)
    assert not any("date=" in name for name in encoder.names_)


@pytest.mark.filterwarnings("ignore:block 'table'. no value in column 't' is shared")
@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "  ", "[Not Available]", "[Unknown]"])
def test_forms_of_missing_cells(missing):
    cells = ["x", "y", "x", "y", missing, missing]
    table = pd.DataFrame({"t": np.array(cells, object), "a": [*range(5), None]})
    values, present = TableEncoder().fit(table).transform(table)
    assert present.tolist() == [True] * 5 + [False]
    np.testing.assert_array_equal(values[5], 0)
    # words that only look alike are levels
    table["t"] = ["x", "y", "x", "NA", "[0, 5]", "none"]
    assert TableEncoder().fit(table).transform(table)[1].all()


def as_object(series):
    return series.astype(object)


def as_text(series):
    return pd.Series(
        [None if pd.isna(v) else repr(v.item() if hasattr(v, "item") else v) for v in series],
        series.index,
        dtype="string",
    )


def as_decimal(series):
    cells = [None if pd.isna(v) else Decimal(repr(float(v))) for v in series]
    return pd.Series(cells, series.index, dtype=object)


@pytest.mark.parametrize(
    "form",
    [as_object, as_text, as_decimal, lambda s: s.astype("Float64"), lambda s: s.astype(float)],
)
@pytest.mark.parametrize("at_fit", [True, False])
def test_numbers_are_the_same_in_any_dtype(form, at_fit):
    table = make_table()
    other = table.copy()
    for name in ("age", "crp", "change"):
        other[name] = form(table[name])
    other["sex"] = table["sex"].astype("category")
    other["smoker"] = table["smoker"].astype("boolean")
    first, second = (other, table) if at_fit else (table, other)
    encoder = TableEncoder().fit(first)
    np.testing.assert_array_equal(encoder.transform(second)[0], encoder.transform(first)[0])
    np.testing.assert_array_equal(
        TableEncoder().fit_transform(second)[0], encoder.transform(first)[0]
    )


@settings(max_examples=15)
@given(st.permutations(range(9)), st.integers(0, 5), st.lists(st.integers(0, N - 1), min_size=1))
def test_order_and_company_do_not_matter(order, seed, rows):
    """Columns in any order, extra columns, and any other rows give the same numbers."""
    table = make_table(seed)
    encoding = BlockEncoding([("a", "table", list(table)[:5]), ("b", "table", list(table)[5:])])
    values, present = encoding.fit_transform(table.iloc[: N // 2])
    for one, again in zip(values, encoding.transform(table.iloc[: N // 2]).values, strict=True):
        np.testing.assert_array_equal(one, again)
    whole = encoding.transform(table)
    part = encoding.transform(table.iloc[rows, list(order)].assign(extra="x"))
    for k in range(2):
        np.testing.assert_array_equal(part.values[k], whole.values[k][rows])
        np.testing.assert_array_equal(part.present, whole.present[rows])
    assert present.shape == (N // 2, 2)


@pytest.mark.parametrize("dtype", [object, "int64", "float64", "Int64"])
def test_grades_that_are_numbers_by_themselves(dtype):
    """Of one patient, a file that holds "0" gives a number."""
    encoder = TableEncoder().fit(pd.DataFrame({"her2": [0, "1+", "2+", "3+"] * 5}))
    assert encoder.kinds_ == ["grade"]
    as_words = encoder.transform(pd.DataFrame({"her2": ["0", "3+"]}))[0]
    assert as_words[0] < 0 < as_words[1]
    as_number = encoder.transform(pd.DataFrame({"her2": pd.Series([0], dtype=dtype)}))[0]
    np.testing.assert_array_equal(as_number, as_words[:1])


def test_test_rows_do_not_change_what_was_learnt():
    table = make_table()
    encoder = TableEncoder().fit(table.iloc[:60])
    state = pickle.dumps(encoder.__dict__)
    encoder.transform(table.iloc[60:].assign(age=10**6))
    assert pickle.dumps(encoder.__dict__) == state


@pytest.mark.parametrize("huge", [1e300, 1e-300, 1.0])
def test_scale_does_not_matter(huge):
    table = make_table()[["age", "crp"]].astype(float)
    first, _ = TableEncoder().fit_transform(table)
    second, _ = TableEncoder().fit_transform(table * huge)
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_faults_of_a_table_name_block_column_and_row():
    table = make_table()
    encoder = TableEncoder("clin").fit(table)
    secret = table.astype({"age": object})
    secret.loc["p3", "age"] = "secret"
    faults = [
        (encoder.transform, secret, "'clin', column 'age' held numbers.*row 'p3'"),
        (TableEncoder("clin").fit, secret, "'clin', column 'age' holds numbers, and.*row 'p3'"),
        (encoder.transform, table.assign(crp=np.inf), "'clin', column 'crp' is infinite at rows"),
        (TableEncoder("clin").fit, table.assign(crp=-np.inf), "'clin', column 'crp' is infinite"),
        (TableEncoder("clin").fit, table.assign(crp=-(10**400)), "column 'crp' is infinite"),
        (TableEncoder("clin").fit, table.assign(d=pd.Timestamp("2020")), "column 'd' holds dates"),
        (TableEncoder("clin").fit, table.assign(d=datetime.date(2020, 1, 2)), "'d' .*type date"),
        (TableEncoder("clin").fit, table.assign(d=[[1]] * N), "column 'd' .*type list at rows"),
        (TableEncoder("clin").fit, table.assign(d=1j), "column 'd' .*type complex"),
        (TableEncoder("clin").fit, table[:1], "1 of 1 patients"),
        (encoder.transform, table.assign(race=61), "'clin', column 'race' held words.* numbers at"),
        (encoder.transform, table.assign(stage=61), "'clin', column 'stage' held words at fit"),
        (encoder.transform, table.assign(sex=True), "'clin', column 'sex' held words at fit"),
    ]
    commas = {"text": "61,5", "some": ["7", "61.5", " -6,15e+1"] * (N // 3), "mixed": [6, "1,5"]}
    for name, cells in commas.items():
        cells = np.resize(np.array(cells, object), N)
        message = f"'clin', column '{name}' holds numbers with a decimal comma.*decimal=\",\""
        faults.append((TableEncoder("clin").fit, table.assign(**{name: cells}), message))
    for method, X, message in faults:
        with pytest.raises(ValueError, match=message) as raised:
            method(X)
        assert "secret" not in str(raised.value)
        assert "2020" not in str(raised.value)
        assert "61" not in str(raised.value)


def test_a_number_among_words_is_a_word():
    """As it may be in one fold only."""
    encoder = TableEncoder().fit(pd.DataFrame({"x": range(40), "t": ["a", "b"] * 20}))
    new = encoder.transform(pd.DataFrame({"x": [1, 1], "t": ["a", 9]}))[0]
    other = encoder.transform(pd.DataFrame({"x": [1, 1], "t": ["a", "zebra"]}))[0]
    np.testing.assert_array_equal(new, other)


def test_words_with_commas_are_levels():
    table = pd.DataFrame({"x": range(40), "site": ["1,5", "lung"] * 20, "T": ["T1,2", "T3,4"] * 20})
    table["codes"] = pd.Categorical(["1,5", "2"] * 20)
    assert TableEncoder().fit(table).kinds_ == ["number", "level", "level", "level"]


class Brightness(TransformerMixin, BaseEstimator):
    """Stand-in for an image encoder: features of bytes, cross-fitted or not."""

    def __init__(self, image_root=None):
        self.image_root = image_root

    def fit(self, X, y=None):
        self.seen_ = [None if y is None else np.asarray(y), self.image_root]
        return self

    def fit_transform(self, X, y=None, groups=None):
        self.groups_ = groups
        return self.fit(X, y).transform(X) + 0.0

    def transform(self, X):
        return np.array([[len(cell), cell[0], 1.0] for cell in X], dtype=float)

    def get_feature_names_out(self, input_features=None):
        return np.array(["length", "first", "missing"], dtype=object)


BLOCKS = [
    ("clin", "table", ["age", "sex"]),
    ("rna", "table", "rna__*"),
    ("note", "text", "note"),
    ("scan", "image", "scan"),
]


def make_patients(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"rna__{k}" for k in range(6)])
    X["age"], X["sex"] = rng.integers(30, 90, n), rng.choice(["F", "M"], n)
    X["note"] = rng.choice(["No mass.", "Large mass. Effusion.", "Effusion."], n).astype(object)
    X["scan"] = [bytes(rng.integers(1, 255, rng.integers(2, 9)).tolist()) for _ in range(n)]
    X.index = [f"p{k}" for k in range(n)]
    X.loc[X.index[:10], [f"rna__{k}" for k in range(6)]] = np.nan
    X.loc[X.index[5:20], "note"] = None
    X.loc[X.index[18:30], "scan"] = None
    X.loc[X.index[30:32], ["age", "sex"]] = None
    return X


def make_encoding(**parameters):
    return BlockEncoding(BLOCKS, **{"image_encoder": Brightness(), **parameters})


def test_patients_without_a_block_are_zero_and_others_standardised():
    X = make_patients()
    before = pickle.dumps(X)
    encoding = make_encoding()
    values, present = encoding.fit_transform(X)
    assert pickle.dumps(X) == before
    lacking = [slice(30, 32), slice(0, 10), slice(5, 20), slice(18, 30)]
    for k, rows in enumerate(lacking):
        expected = np.ones(60, bool)
        expected[rows] = False
        np.testing.assert_array_equal(present[:, k], expected)
        assert (values[k][~expected] == 0).all()
        np.testing.assert_allclose(values[k][expected].mean(axis=0), 0, atol=1e-9)
        assert values[k].dtype == np.float64
    assert encoding.names_[3].tolist() == ["length", "first"]  # "missing" never varies
    assert encoding.origin_[3].tolist() == ["scan", "scan"]
    assert set(encoding.origin_[2]) == {"note"}
    assert [block.name for block in encoding.blocks_] == ["clin", "rna", "note", "scan"]
    restored = pickle.loads(pickle.dumps(encoding)).transform(X)
    for one, again in zip(values, restored.values, strict=True):
        np.testing.assert_array_equal(one, again)


def test_statistics_are_those_of_patients_who_have_the_block():
    X = make_patients()
    whole, part = make_encoding().fit(X), make_encoding().fit(X.iloc[10:])
    np.testing.assert_array_equal(whole.transform(X).values[1], part.transform(X).values[1])


def test_blocks_may_lack_in_all_new_patients():
    X = make_patients()
    encoding = make_encoding().fit(X)
    new = X.iloc[40:45].copy()
    new["scan"] = None
    new["note"] = pd.Series(np.nan, new.index, dtype=object)
    values, present = encoding.transform(new)
    assert not present[:, 2:].any()
    assert present[:, :2].all()
    assert values[3].shape == (5, 2)
    assert not values[3].any()
    assert not values[2].any()


def test_other_encoders_get_what_they_need():
    X, y = make_patients(), np.arange(60)
    text = ReportEncoder("hashing", n_components=2, cache=False)
    encoding = make_encoding(text_encoder={"note": text}, image_root="images")
    encoding.fit(X, y, train_groups=y // 2)
    assert encoding.names_[2][0] == "mean0"
    told, root = encoding.encoders_[3].seen_
    here = np.r_[0:18, 30:60]
    np.testing.assert_array_equal(told, here)
    np.testing.assert_array_equal(encoding.encoders_[3].groups_, here // 2)
    assert root == "images"
    assert not hasattr(text, "n_features_out_")  # a copy is fitted
    target = make_survival_y(np.ones(60, bool), y + 1.0)
    fields = make_encoding().fit(X, target).encoders_[3].seen_[0]
    np.testing.assert_array_equal(fields, target[here])


@pytest.mark.parametrize("routing", [False, True])
def test_steps_of_a_pipeline_get_what_they_need(routing):
    X, y = make_patients(), np.arange(60)
    steps = make_pipeline(make_pipeline(Brightness(), "passthrough"), StandardScaler())
    encoding = make_encoding(image_encoder=steps, image_root="images")
    with config_context(enable_metadata_routing=routing):
        encoding.fit(X, y, train_groups=y // 2)
    inner = encoding.encoders_[3][0][0]
    np.testing.assert_array_equal(inner.groups_, np.r_[0:18, 30:60] // 2)
    assert inner.seen_[1] == "images"


def test_faults_of_patients_name_block_column_and_row():
    X = make_patients()
    encoding = make_encoding().fit(X)
    blank = X.copy()
    blank.loc["p7", :] = None
    number = X.copy()
    number["note"] = number["note"].astype(object)
    number.loc["p9", "note"] = 3
    other = X.copy()
    other.loc["p9", "scan"] = 3.5
    faults = [
        (blank, "no value in any block at row 'p7'"),
        (number, "block 'note', column 'note' must hold text, found int at row 'p9'"),
        (other, "block 'scan': .*'scan'.* row 'p9'"),
    ]
    for wrong, message in faults:
        for method in (make_encoding().fit, encoding.transform):
            with pytest.raises(ValueError, match=message):
                method(wrong)
    with pytest.raises(ValueError, match="block 'rna': X has no column 'rna__2'"):
        encoding.transform(X.drop(columns="rna__2"))
    with pytest.raises(ValueError, match="block 'scan': 1 of 60 patients"):
        make_encoding().fit(X.assign(scan=[b"ab"] + [None] * 59))
    with pytest.raises(ValueError, match="text_encoder names the block 'notes'"):
        make_encoding(text_encoder={"notes": None}).fit(X)
    with pytest.raises(ValueError, match="block 'note': text_encoder must be a transformer"):
        make_encoding(text_encoder="tfidf").fit(X)
    with pytest.raises(ValueError, match=r"block 'note': .* the class ReportEncoder.*Encoder\(\)"):
        make_encoding(text_encoder=ReportEncoder).fit(X)


def test_a_folder_that_is_none_is_named():
    encoding = BlockEncoding([("ct", "image", "scan")], image_root=5)
    with pytest.raises(ValueError, match="block 'ct': image_root must be a str"):
        encoding.fit(pd.DataFrame({"scan": ["a.png", "b.png"]}))


def test_callables_that_choose_columns_are_not_kept():
    X = make_patients()
    encoding = BlockEncoding([("rna", "table", lambda X: slice(0, 6)), ("c", "table", "age")])
    restored = pickle.loads(pickle.dumps(encoding.fit(X)))
    assert restored.blocks[0][2] == [f"rna__{k}" for k in range(6)]


def test_images_are_described_by_their_texture():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": np.arange(8), "scan": [rng.random((16, 16)) for _ in range(8)]})
    X.loc[3, "scan"] = None
    encoding = BlockEncoding([("clin", "table", "age"), ("scan", "image", "scan")])
    values, present = encoding.fit_transform(X)
    assert present[:, 1].tolist() == [True] * 3 + [False] + [True] * 4
    assert values[1].shape[1] == len(encoding.names_[1]) > 50
    assert np.abs(values[1]).max() <= 5
    assert not values[1][3].any()


@pytest.mark.parametrize("kind", ["classification", "regression", "survival"])
def test_availability_that_predicts_y_is_reported(kind):
    rng = np.random.default_rng(0)
    risk = rng.normal(size=200)
    y = {
        "classification": np.where(risk > 0, "ill", "well"),
        "regression": risk,
        "survival": make_survival_y(np.ones(200, bool), np.exp(-risk)),
    }[kind]
    present = np.column_stack([risk + rng.normal(size=200) > 0, rng.random(200) > 0.5, risk < 9])
    messages = check_availability(present, ["scan", "rna", "clin"], kind, y)
    assert len(messages) == 1
    assert "'scan'" in messages[0]
    here = present[:, 0]
    figure = {
        "classification": roc_auc_score(y == "ill", here) if kind == "classification" else None,
        "regression": roc_auc_score(here, risk),
        "survival": concordance_index(y, here.astype(float)) if kind == "survival" else None,
    }[kind]
    assert f"{figure:.2f}" in messages[0]
    assert check_availability(present[rng.permutation(200)], ["s", "r", "c"], kind, y) == []
    if kind != "survival":  # a column, as a DataFrame gives it
        assert check_availability(present, ["scan", "rna", "clin"], kind, y[:, None]) == messages


@pytest.mark.parametrize(
    ("encoder", "steps"),
    [
        (make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=2)), "SelectKBest"),
        (
            FeatureUnion(
                [
                    ("one", TfidfVectorizer()),
                    ("two", make_pipeline(TfidfVectorizer(), None, SelectFromModel(Lasso(0.01)))),
                ]
            ),
            "SelectFromModel",
        ),
        (make_pipeline(TfidfVectorizer(), VarianceThreshold(), TruncatedSVD(2)), None),
        (make_pipeline(ReportEncoder(n_components=2), StandardScaler(), TargetEncoder()), None),
    ],
)
def test_encoders_that_see_the_outcome_of_whom_they_describe_are_told_of(encoder, steps):
    y = np.arange(40) % 2
    X = pd.DataFrame({"t": [f"{'large' if k % 3 else 'small'} mass {k % 5} cm" for k in range(40)]})
    encoding = BlockEncoding([("note", "text", "t")], text_encoder=encoder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoding.fit_transform(X, y)
    said = [str(one.message) for one in caught if "learns from y" in str(one.message)]
    assert len(said) == (steps is not None)
    if steps:
        assert said[0].startswith(f"block 'note': its encoder learns from y ({steps})")
