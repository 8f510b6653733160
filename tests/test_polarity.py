"""Terms know whether they are denied: English, Japanese and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_medsel.text._polarity import MARK, denied_words, is_cjk, sentence_terms


def denied(sentence):
    """Give the denied words of a sentence, without their mark."""
    return {term[1:] for term in denied_words(sentence) if term.startswith(MARK)}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("There is a pleural effusion.", set()),
        ("No pleural effusion.", {"pleural", "effusion"}),
        ("Lungs are clear without effusion", {"effusion"}),
        ("Negative for fracture", {"for", "fracture"}),
        # a semicolon or a turning word ends the reach
        ("No mass; there is effusion", {"mass"}),
        ("No effusion but edema", {"effusion"}),
        ("No abnormality except a nodule", {"abnormality"}),
        ("However, no mass.", {"mass"}),
        # cues behind what they deny
        ("Effusion is not seen", {"effusion", "is", "not", "seen"}),
        ("Fracture is ruled out", {"fracture", "is", "ruled", "out"}),
        ("The edema has completely resolved", {"the", "edema", "has", "completely", "resolved"}),
        # which reach no further than their own clause
        ("Effusion persists but the mass is not seen", {"the", "mass", "is", "not", "seen"}),
        ("The mass is not seen, although edema persists", {"the", "mass", "is", "not", "seen"}),
        # no denials
        ("No change in effusion", set()),
        ("No significant interval change", set()),
        ("No changes of the mass", set()),
        ("Pneumonia is not excluded", set()),
        ("Pneumonia is not ruled out", set()),
        ("Pneumonia has not been ruled out", {"been", "ruled", "out"}),
        ("The effusion has partially resolved", set()),
        ("The effusion has not resolved", {"resolved"}),
    ],
)
def test_english(sentence, words):
    assert denied(sentence) == words


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("胸水を認める。", [False]),
        ("胸水を認めない。", [True]),
        ("胸水なし", [True]),
        ("胸水はありません。", [True]),
        ("胸水は認められず、", [True]),
        # a clause without a predicate shares the fate of the next with one
        ("胸水、心嚢水は認めません。", [True, True]),
        ("結節を認め、胸水は認めない。", [False, True]),
        ("胸水は認めず、結節を認める。", [True, False]),
        ("未见胸腔积液、右肺可见结节。", [True, False]),
        ("没有骨折", [True]),
        # no denials: or, at least, little, cannot be excluded
        ("腫瘤ないし結節を認める。", [False]),
        ("少なくとも三個の結節を認める。", [False]),
        ("転移は否定できない。", [False]),
        ("転移の可能性は除外できません。", [False]),
    ],
)
def test_chinese_and_japanese(sentence, clauses):
    pieces = [piece for piece in sentence.split("、") if piece.strip("。")]
    runs = iter(denied_words(sentence))
    for piece, expected in zip(pieces, clauses, strict=True):
        letters = [letter for letter in piece if letter.isalnum()]
        found = [next(runs) for _ in range(len(letters) - 1)]
        assert all(run.startswith(MARK) == expected for run in found), found
    assert next(runs, None) is None


def test_terms_are_words_and_pairs():
    terms = sentence_terms("No effusion; 3.5 cm mass")
    words = ["no", "¬effusion", "3.5", "cm", "mass"]
    pairs = ["no ¬effusion", "¬effusion 3.5", "3.5 cm", "cm mass"]
    assert terms == words + pairs


def test_runs_of_characters_stay_in_their_clause():
    assert sentence_terms("右肺、肝") == ["右", "肺", "右肺", "肝"]
    assert sentence_terms("胸水なし") == [
        *("¬胸", "¬水", "¬な", "¬し"),
        *("¬胸水", "¬水な", "¬なし"),
        *("¬胸水な", "¬水なし"),
    ]


def test_case_and_width_do_not_matter():
    assert sentence_terms("NO MASS") == sentence_terms("ｎｏ　ｍａｓｓ")  # noqa: RUF001
    assert sentence_terms("胸水ﾅｼ") == sentence_terms("胸水ナシ")


def test_script_decides_on_the_terms():
    assert is_cjk("CT: 胸水なし")
    assert not is_cjk("Effusion (胸) of the left lung")
    assert sentence_terms("") == []
    assert sentence_terms("12.5") == ["12.5"]


@given(st.text(max_size=60))
def test_any_text_gives_terms_that_a_vocabulary_can_hold(sentence):
    terms = sentence_terms(sentence)
    words = [word for term in terms for word in term.split(" ")]
    assert all(
        word.removeprefix(MARK).replace(".", "").replace(",", "").isalnum() for word in words
    )


@given(st.text(alphabet="abc .;,-", max_size=40))
def test_without_a_cue_nothing_is_denied(sentence):
    assert not denied(sentence)
