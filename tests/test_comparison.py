"""Comparison of a report with the one before it: by hand, its properties, made and real reports."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel.datasets._reports import make_reports
from sklearn_medsel.text._comparison import comparison_table, match_sentences
from sklearn_medsel.text._sentences import Sentence
from sklearn_medsel.text._statement import ABNORMAL, MIXED, NORMAL, read_statement

KEPT = [
    ("The heart is normal in size.", "Heart size is normal."),
    ("The lungs are clear.", "Lungs clear."),
    ("There is a nodule in the RUL.", "Nodule in the right upper lobe."),
    ("No pleural effusion.", "There is no evidence of pleural effusion."),
    ("The nodule in the left lower lobe is seen.", "No change in the left lower lobe nodule."),
    ("Fracture of the L1 vertebra.", "Fracture of the first lumbar vertebra."),
    ("Haemangioma in segment IV of the liver.", "Haemangioma in liver segment 4."),
    ("No acute bony abnormality.", "No acute bony findings."),
    ("右肺上葉に結節を認めます。", "右上葉の結節は著変ありません。"),
    ("胸水なし。", "胸水は認めません。"),
    ("第8胸椎に骨折を認める。", "Th8の骨折がみられる。"),
    ("両腎に異常は認めない。", "両腎は正常です。"),
    ("右葉に腫瘤を認める。", "右葉に腫瘤に矛盾しない所見を認める。"),
]
APART = [
    ("No pleural effusion.", "Small pleural effusion."),
    ("There is a pleural effusion.", "The pleural effusion has resolved."),
    ("Pneumothorax is seen.", "Pneumothorax is not found."),
    ("The heart size is normal.", "The heart size is enlarged."),
    ("The lungs are clear.", "The lungs are hyperinflated."),
    ("No mass or effusion.", "No mass but effusion."),
    ("No interval change, pneumothorax or effusion.", "Pneumothorax and effusion."),
    ("No nodule or effusion.", "Interval clearing of the effusion, new nodule."),
    ("No findings of pulmonary edema.", "Findings of pulmonary edema."),
    ("Opacity in the left lung base.", "Opacity in the right lung base."),
    ("Left pleural effusion.", "Bilateral pleural effusions."),
    ("Nodule in the right upper lobe.", "Nodule in the right lower lobe."),
    ("Fracture of the left sixth rib.", "Fracture of the left 8th rib."),
    ("Chest pain, rule out fracture.", "Fracture."),
    ("骨折の有無。", "骨折。"),
    ("右肺上葉に結節を認める。", "左肺上葉に結節を認める。"),
    ("右肺上葉に結節を認める。", "右肺下葉に結節を認める。"),
    ("胸水を認める。", "胸水は認めない。"),
    ("骨折は認めない。", "転位のない骨折を認める。"),
    ("結節や異常は認めない。", "結節を認める。"),
]
CHANGED = [
    ("Nodule 8 mm in the left lung.", "Nodule 15 mm in the left lung."),
    ("Nodule of 8 mm in the left lung.", "The left lung nodule has grown from 8 mm to 1.5 cm."),
    ("Small pleural effusion.", "Moderate pleural effusion."),
    ("Pleural effusion.", "The pleural effusion has increased."),
    ("Pleural effusion has increased.", "The pleural effusion has increased further."),
    ("Opacity in the left lung.", "Improved opacity in the left lung."),
    ("No effusion.", "No effusion, new nodule."),
    ("No pleural effusion.", "Scarring without pleural effusion."),
    ("肝に10mm大の腫瘤を認める。", "肝に2cm大の腫瘤を認める。"),
    ("少量の胸水を認める。", "多量の胸水を認める。"),
    ("右上葉に結節を認める。", "右上葉の結節は増大している。"),
]
UNCHANGED = [
    ("Nodule 12 mm in the left lung.", "Nodule of 1.2 cm in the left lung."),
    ("Nodule 12 mm in the left lung.", "Left lung nodule, now 12 mm (previously 12 mm)."),
    ("Nodule 12 mm in the left lung.", "Nodule 12 x 9 mm in the left lung."),
    ("Nodule in the left lung.", "The nodule in the left lung has not increased."),
    ("No new nodule.", "There is no nodule."),
    ("The heart is normal.", "The heart is not enlarged."),
    ("肝に１０ｍｍ大の腫瘤を認める。", "肝に1cm大の腫瘤を認める。"),
    ("右上葉に結節を認める。", "右上葉に増大のない結節を認める。"),
]
WORDS = [
    "No",
    "effusion",
    "nodule",
    "left",
    "right",
    "5 mm",
    "9 mm",
    "new",
    "clear",
    "結節",
    "なし",
]
REPORTS = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=0, max_size=5).map(" ".join), max_size=7
)


def one(before, after):
    """Matches of one sentence and one other, both ways round."""
    there, back = match_sentences([before], [after]), match_sentences([after], [before])
    assert there.match[0] == back.match[0]
    assert there.similarity[0] == pytest.approx(back.similarity[0])
    assert there.changed[0] == back.changed[0]
    return there


@pytest.mark.parametrize(("before", "after"), KEPT + UNCHANGED)
def test_the_same_in_other_words_is_kept(before, after):
    matches = one(before, after)
    assert matches.match.tolist() == [0]
    assert not matches.changed[0]
    assert matches.gone.size == 0


@pytest.mark.parametrize(("before", "after"), CHANGED)
def test_kept_and_changed(before, after):
    matches = one(before, after)
    assert matches.match.tolist() == [0]
    assert matches.changed[0]


@pytest.mark.parametrize(("before", "after"), APART)
@pytest.mark.parametrize("with_vectors", [False, True])
def test_contradictions_are_new_and_gone(before, after, with_vectors):
    # Vectors hardly know a negation: here they say that both are the same.
    vectors = [np.ones((1, 4)), np.ones((1, 4))] if with_vectors else []
    matches = match_sentences([before], [after], *vectors)
    assert matches.match.tolist() == [-1]
    assert matches.similarity.tolist() == [0]
    assert matches.gone.tolist() == [0]


def test_equal_sentences_come_first():
    before = ["Nodule in the left lung, 8 mm, solid.", "Nodule in the left lung."]
    matches = match_sentences(before, ["Nodule in the left lung."])
    assert matches.match.tolist() == [1]
    assert matches.similarity.tolist() == [1]


def test_case_width_space_and_numbers_hardly_count():
    matches = match_sentences(["CT of 2 May 2019 was used."], ["ＣＴ  of 11 MAY 2021 was used"])  # noqa: RUF001
    assert matches.similarity[0] == pytest.approx(0.99)


def test_decimals_are_one_number():
    matches = match_sentences(["Nodule of 15 mm."], ["Nodule of 1.7 mm."])
    assert matches.similarity[0] == pytest.approx(0.99)
    assert matches.changed[0]


def test_numbers_that_name_a_place_do_count():
    assert match_sentences(["L1 is fractured."], ["L4 is fractured."]).match[0] == -1


def test_vectors_find_what_words_do_not():
    before, after = ["Cardiomegaly.", "Scoliosis of the spine."], ["Heart enlargement."]
    assert match_sentences(before, after).match.tolist() == [-1]
    vectors = np.array([[1.0, 0, 0], [0, 1, 0]])
    assert match_sentences(before, after, vectors, [[1.0, 0.05, 0]]).match.tolist() == [0]


def test_usual_cosine_is_taken_off():
    # An encoder all of whose vectors lie in a narrow cone: a cosine of 0.9 means nothing there.
    rng = np.random.default_rng(0)
    vectors = 3 + rng.standard_normal((24, 50))
    before = [f"finding {chr(97 + i)}bc" for i in range(12)]
    after = [f"remark {chr(97 + i)}xyz" for i in range(12)]
    matches = match_sentences(before, after, vectors[:12], vectors[12:])
    assert (matches.match == -1).all()
    assert (match_sentences(before, after, vectors[:12], vectors[:12]).similarity > 0.45).all()


@pytest.mark.parametrize(
    ("sentence", "state"),
    [
        ("No effusion.", NORMAL),
        ("The lungs are clear.", NORMAL),
        ("Scarring without effusion.", MIXED),
        ("Scarring.", ABNORMAL),
        ("胸水なし。", NORMAL),
        ("結節を認める。", ABNORMAL),
    ],
)
def test_state(sentence, state):
    assert read_statement(sentence).state == state


def test_abbreviations_and_millilitres():
    assert read_statement("LUL").level == {"upper"}
    assert read_statement("RML").side == {"right"}
    fluid = read_statement("5 ml of fluid")
    assert fluid.level == frozenset()
    assert fluid.sizes == {("ml", 5.0)}


@settings(max_examples=150, deadline=None)
@given(REPORTS, REPORTS)
def test_every_sentence_is_accounted_for_once(before, after):
    matches = match_sentences(before, after)
    assert matches.match.shape == matches.similarity.shape == matches.changed.shape == (len(after),)
    kept = matches.match[matches.match >= 0].tolist()
    assert sorted(kept + matches.gone.tolist()) == list(range(len(before)))
    assert ((matches.similarity > 0) == (matches.match >= 0)).all()
    assert (matches.similarity <= 1).all()
    assert not matches.changed[matches.match < 0].any()
    for position, match in enumerate(matches.match):
        same = match >= 0 and before[match] == after[position]
        assert (matches.similarity[position] == 1) == same
        assert not (same and matches.changed[position])
    # As many equal sentences are matched as there can be.
    n_equal = sum(min(before.count(s), after.count(s)) for s in set(after))
    assert (matches.similarity == 1).sum() == n_equal


@settings(max_examples=100, deadline=None)
@given(REPORTS)
def test_a_report_and_itself(report):
    matches = match_sentences(report, report)
    assert matches.match.tolist() == list(range(len(report)))
    assert (matches.similarity == 1).all()
    assert not matches.changed.any()
    assert matches.gone.size == 0


@settings(max_examples=100, deadline=None)
@given(REPORTS, REPORTS, st.randoms(use_true_random=False))
def test_order_plays_no_role(before, after, random):
    def outcome(before, after):
        found = match_sentences(before, after)
        rows = zip(after, found.match, found.similarity, found.changed, strict=True)
        kept = sorted((s, before[m] if m >= 0 else "", v, c) for s, m, v, c in rows)
        return kept, sorted(before[i] for i in found.gone)

    shuffled = [random.sample(report, len(report)) for report in (before, after)]
    assert outcome(*shuffled) == outcome(before, after)


@settings(max_examples=60, deadline=None)
@given(REPORTS, REPORTS, st.integers(0, 99))
def test_scale_of_vectors_plays_no_role(before, after, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((len(before), 5)), rng.standard_normal((len(after), 5))
    plain = match_sentences(before, after, first, second)
    scaled = match_sentences(before, after, 4 * first, second / 2)
    for one_result, other in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(one_result, other)


def test_vectors_without_dimensions_are_none():
    plain = match_sentences(["Small nodule."], ["The nodule."])
    empty = match_sentences(["Small nodule."], ["The nodule."], np.empty((1, 0)), np.empty((1, 0)))
    assert plain.match.tolist() == empty.match.tolist() == [0]
    assert plain.similarity.tolist() == empty.similarity.tolist()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ((None, [[1.0]]), "both previous_vectors and current_vectors"),
        (([[1.0, 0]], [[1.0]]), "previous_vectors has 2 columns but current_vectors has 1"),
        (([[1.0], [2.0]], [[1.0]]), "previous_vectors has 2 rows but previous has 1 sentences"),
        (([[1.0]], [[np.nan]]), "current_vectors must be a table of finite numbers.*NaN"),
        (([1.0], [[1.0]]), r"previous_vectors must be a table.*shape \(1,\)"),
    ],
)
def test_vectors_are_checked_and_messages_show_no_text(vectors, message):
    with pytest.raises(ValueError, match=message) as caught:
        match_sentences(["Secret nodule."], ["Secret mass."], *vectors)
    assert "Secret" not in str(caught.value)


def side(*reports, vectors=None):
    """Reports with a sentence per line, as `comparison_table` takes them."""
    cuts = []
    for report in reports:
        starts = np.cumsum([0] + [len(line) + 1 for line in report.split("\n")])[:-1]
        lines = zip(starts.tolist(), report.split("\n"), strict=True)
        cuts.append([Sentence(start, start + len(line), "") for start, line in lines if line])
    return list(reports), cuts, vectors


def test_table():
    previous = side("Lungs clear.\nNodule 8 mm.", "")
    current = side("Pneumothorax.\nNodule 9 mm.", "Mass.")
    table = comparison_table(previous, current)
    expected = pd.DataFrame(
        [
            (0, "new", 0, "Pneumothorax.", 0, 13, -1, None, 0.0, False),
            (0, "kept", 1, "Nodule 9 mm.", 14, 26, 1, "Nodule 8 mm.", 0.99, True),
            (0, "gone", 0, "Lungs clear.", 0, 12, -1, None, 0.0, False),
            (1, "new", 0, "Mass.", 0, 5, -1, None, 0.0, False),
        ],
        columns=list(table),
    )
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    whole = ["report", "sentence", "start", "end", "match"]
    assert (table[whole].dtypes == np.int64).all()
    assert table["changed"].dtype == bool
    assert table["match_text"].isna().tolist() == [True, False, True, True]


def test_table_without_rows_keeps_its_columns():
    table = comparison_table(side(""), side(""))
    assert len(table) == 0
    assert list(table)[:3] == ["report", "status", "sentence"]
    assert table["similarity"].dtype == np.float64


def test_table_uses_vectors():
    before, after = ("Cardiomegaly.",), ("Heart enlargement.",)
    vectors = [np.ones((1, 3))]
    table = comparison_table(side(*before, vectors=vectors), side(*after, vectors=vectors))
    assert table["status"].tolist() == ["kept"]
    assert set(comparison_table(side(*before), side(*after))["status"]) == {"new", "gone"}


def test_table_wants_as_many_previous_reports():
    with pytest.raises(ValueError, match="previous has 1 reports but current has 2"):
        comparison_table(side("a"), side("b", "c"))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_made_reports(language):
    # Made pairs use synonyms that words alone cannot tell; what counts is that hardly a match is
    # wrong, that more are found than by equality, and that nothing that grew or is new goes by.
    data = make_reports(150, pairs=True, language=language, random_state=3)
    truth = data.changes[data.changes["status"] != "gone"].sort_values(["report", "sentence"])
    pairs = zip(data.previous_sentences, data.sentences, strict=True)
    found = [match_sentences(before, after) for before, after in pairs]
    match = np.concatenate([m.match for m in found])
    changed = np.concatenate([m.changed for m in found])
    true = truth["match"].to_numpy()
    right = ((match == true) & (match >= 0)).sum()
    assert right / (match >= 0).sum() > 0.9
    assert right / (true >= 0).sum() > 0.6
    silent = (match >= 0) & ~changed
    grown = truth["worse"].to_numpy()
    assert grown.sum() > 10
    assert not (grown & silent).any()
    new_finding = truth["finding"].to_numpy() & (true < 0)
    assert (new_finding & silent).sum() <= 0.02 * new_finding.sum()


def test_real_reports():
    path = Path(os.environ.get("MEDSEL_DATA", "../shared/data")) / "reports/iu_xray_reports.parquet"
    if not path.is_file():
        pytest.skip("no real reports: set MEDSEL_DATA to the folder that holds 'reports'")
    parquet = pytest.importorskip("pyarrow.parquet", reason="reading the real reports")
    table = parquet.read_table(path, columns=["sentences", "evidence"]).to_pandas()[:400]
    sentences = [list(row) for row in table["sentences"]]
    evidence = [np.asarray(row, bool) for row in table["evidence"]]
    n_kept = n_important = n_silent = 0
    for row in range(1, len(sentences)):
        matches = match_sentences(sentences[row - 1], sentences[row])
        n_kept += (matches.match >= 0).sum()
        # Next to a report without any important finding, all important ones are new.
        if not evidence[row - 1].any():
            n_important += evidence[row].sum()
            n_silent += (evidence[row] & (matches.match >= 0) & ~matches.changed).sum()
    assert n_kept > 0.15 * sum(map(len, sentences))
    assert n_important > 50
    assert n_silent < 0.03 * n_important
