"""The sentence splitter: slices of the report, by the rules of English, Japanese and Chinese."""

# The marks of Chinese and Japanese are meant, not the Latin ones they look like.
# ruff: noqa: RUF001

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_medsel.text._headings import _PHRASES, SECTIONS
from sklearn_medsel.text._script import cjk_share
from sklearn_medsel.text._sentences import Sentence, resolve_splitter, split_sentences

MARKER = re.compile(r"[(（]?\d{1,2}[.)．）、]|[①-⑳]|[(（]?[a-h][)）]|[・•●■*–—−-]|[-=_]{3,}")


def cut(text):
    return [text[start:end] for start, end, _ in split_sentences(text)]


def cut_by_section(text):
    return [(section, text[start:end]) for start, end, section in split_sentences(text)]


def case(*sentences, between=" "):
    """A text and the sentences it is made of."""
    return pytest.param(between.join(sentences), list(sentences), id=sentences[0][:30])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        case("The aorta is tortuous.", "Is it wider?", "No!", "Compare older films"),
        case("A cyst of 1.2 cm is seen.", "It was 0.9 cm."),
        case("Read with ver.2 of the tool.", "Quality is fair."),
        case("Seen by Dr. Lee and Mr. Okada.", "Agreed by Prof. J. R. Stone."),
        case("Scar vs. nodule, approx. 4 mm, e.g. a granuloma.", "No. 3 rib is bent, see Fig. 2."),
        case("The node is 8 mm in size and the cyst 2 cm.", "Both are old."),
        case("It is 3 cm. in length.", "Otherwise clear."),
        case("Called at 5 p.m. by phone.", "Repeated at 6 p.m.", "Nobody answered."),
        case("Hepatitis C.", "Segment V.", "Level L5.", "Grade 2.", "Stable."),
        case("Chest x-XXXX.", "XXXX XXXX.", "No change since XXXX.", "XXXX are clear."),
        case("Dr. XXXX XXXX was told at XXXX."),
        case('He said "unchanged."', "(See above.)", "[No older film.]", "Done."),
        case("Nodule (?) in the apex.", "? effusion.", "? Mass"),
        case("No acute change. .", "Stable heart. ."),
        case("Old scars... and more of them.", "End."),
        case("The lungs are clear.", "heart is large.", "no edema."),
        case("Lungs are free.", "Heart is large.", between=""),
        case("The spleen measures 1. 2 cm."),
        case("In 2012.", "3 views were taken."),
        case("肝に嚢胞あり。", "胸水なし！", "転移か？", "否定的．", "以上", between=""),
        case("径１．２ｃｍの結節。", "前回1.5cmでした。", between=""),
        case("「著変なし。」との事でした。", "結節（？）を認める。", "癌？の疑い。", between=""),
        case("腫瘤を認めます.", "腹水なし.", "T2を疑う."),
        case("肝に腫瘤あり", "胸水なし", "骨に転移を認めず", "腎は正常", between="\u3000"),
        case(
            "胆石あり",
            "腹水なし",
            "脾腫を認めません",
            "炎症が疑われます",
            "前回と同様でした",
            "以上",
        ),
        case("8月の CT と比較して、転移を疑う 10mm 大の結節を認めます。"),
        case("右肺见结节影。", "未见胸腔积液。", "建议随访！", between=""),
        case("右肺に GGN を認めます.", "No effusion.", "胸水なし。", "Heart is normal."),
    ],
)
def test_sentences_on_one_line(text, expected):
    assert cut(text) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\n \r\n", " \n\t"])
def test_lines_without_full_stops(end):
    english = ["No effusion", "Small nodule in the left apex", "Heart is large"]
    japanese = ["肝に腫瘤あり", "右胸水", "転移を認めない", "腹水なし。"]
    for sentences in (english, japanese, ["no edema", "no mass", "heart normal"]):
        assert cut(end.join(sentences)) == sentences


def test_a_wrapped_line_is_joined():
    report = (
        "There is a small nodule in the left apex that was not\n"
        "seen before. It was shown to Dr.\n"
        "Lee. There is no sign of disease in the part of the\n"
        "Liver that is shown, and\n"
        "Kidneys are normal."
    )
    assert [" ".join(s.split()) for s in cut(report)] == [
        "There is a small nodule in the left apex that was not seen before.",
        "It was shown to Dr. Lee.",
        "There is no sign of disease in the part of the Liver that is shown, and Kidneys are "
        "normal.",
    ]


def test_a_text_wrapped_to_a_width_is_joined_before_capitals_too():
    report = (
        "Stable appearance of the right upper lobe after resection\n"
        "Surgery XXXX with volume loss and thickening of the nearby\n"
        "Pleura XXXX. Normal heart."
    )
    assert len(cut(report)) == 2


def test_a_long_line_alone_is_no_sign_of_wrapping():
    lines = ["Stable enlarged heart with pulmonary vascular congestion", "No effusion", "Old scar"]
    assert cut("\n".join(lines)) == lines


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("右下葉に結節があり、前回と比べて増大して", "います。"),
        ("胸膜の陥入を伴っており、肺癌を疑いま", "す。"),
        ("腫瘤は縦隔の脂肪織へ突出", "し、浸潤を考えます。"),
        ("増大しており肺癌", "を否定できません。"),
        ("左肺に陰影を認めます。辺縁は不整で、周囲の血管を巻き込んでおり胸膜", "疾患を疑います。"),
        ("胸水なし", "。"),
    ],
)
def test_japanese_cut_within_a_word_is_joined(first, second):
    assert cut(f"{first}\n{second}\n腹水なし。")[-2].endswith(second)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. No mass. 2. Old scar. 3. Clear", ["No mass.", "Old scar.", "Clear"]),
        ("1. No mass 2. Old scar 3. Clear", ["No mass", "Old scar", "Clear"]),
        ("1.No mass\n2.Old scar\n10) Clear", ["No mass", "Old scar", "Clear"]),
        ("Wide heart 1. No mass 2. Scar", ["Wide heart", "No mass", "Scar"]),
        ("(1) No mass\n(2) Old\nscar", ["No mass", "Old\nscar"]),
        ("1. Fracture of rib 2. Old scar", ["Fracture of rib 2.", "Old scar"]),
        ("- no mass\n- 2 cm cyst\n* -5 HU", ["no mass", "2 cm cyst", "-5 HU"]),
        ("・肝癌\n・胸水\n● 骨転移", ["肝癌", "胸水", "骨転移"]),
        ("①肝癌 ②胸水なし。③骨転移", ["肝癌", "胸水なし。", "骨転移"]),
        ("１．肝癌\n２）胸水\n3、腹水", ["肝癌", "胸水", "腹水"]),
        ("-----\nNormal\n=====\n-", ["Normal"]),
    ],
)
def test_lists(text, expected):
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "INDICATION: Cough\nand fever. CT asked.\nFINDINGS:\nOld scar.\n\nNo mass.\n"
            "Impression - Normal.\nRECOMMENDATIONS: 1. None",
            [
                ("history", "Cough\nand fever."),
                ("history", "CT asked."),
                ("findings", "Old scar."),
                ("findings", "No mass."),
                ("impression", "Normal."),
                ("recommendation", "None"),
            ],
        ),
        (
            "Comparison: None.\nOld scar. Findings: No mass. CONCLUSION: Normal",
            [
                ("comparison", "None."),
                ("", "Old scar."),
                ("findings", "No mass."),
                ("impression", "Normal"),
            ],
        ),
        (
            "FINDINGS No mass, normal size IMPRESSION: Clear",
            [("findings", "No mass, normal size"), ("impression", "Clear")],
        ),
        ("CT CHEST FINDINGS (limited): Scar", [("findings", "Scar")]),
        ("Technique\nNative CT.\nExam: CT", [("technique", "Native CT."), ("technique", "CT")]),
        ("所見\n胸水なし\n診断：肝癌", [("findings", "胸水なし"), ("impression", "肝癌")]),
        ("【所見】胸水なし【結論】肝癌", [("findings", "胸水なし"), ("impression", "肝癌")]),
        ("■所見\n胸水\n<診断> 肝癌", [("findings", "胸水"), ("impression", "肝癌")]),
        ("検査目的：精査\n腫瘤あり", [("history", "精査"), ("", "腫瘤あり")]),
        ("ＣＴ所見　異常なし", [("findings", "異常なし")]),
        ("胸部造影CT所見:胸水。", [("findings", "胸水。")]),
        ("1. 比較：なし。2. 印象: 肝癌", [("comparison", "なし。"), ("impression", "肝癌")]),
        ("影像所见：结节。诊断意见：肺癌。", [("findings", "结节。"), ("impression", "肺癌。")]),
        ("FINDINGS:\nIMPRESSION:\n", []),
    ],
)
def test_headings_open_sections(text, expected):
    assert cut_by_section(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Findings are stable.",
        "Impression of a mass on the stomach.",
        "No acute findings: normal chest.",
        "Lungs: Clear.",
        "Comparison with the older film shows growth.",
        "所見は前回と同様です。",
        "診断は困難です。",
        "腹部：異常なし。",
        "【胸部】異常なし。",
        "比較的大きな結節を認めます。",
    ],
)
def test_no_headings(text):
    assert cut_by_section(text) == [("", text)]


@pytest.mark.parametrize(
    "text", ["", " ", "\n\r\n\t\u3000\xa0", "1.", "・", "FINDINGS:", "【所見】"]
)
def test_nothing_to_split(text):
    assert split_sentences(text) == []


@pytest.mark.parametrize("bad", [None, 3.5, b"Secret scar.", ["Secret scar."], float("nan")])
@pytest.mark.parametrize("splitter", ["auto", "lines", str.split])
def test_only_text_is_split(splitter, bad):
    with pytest.raises(TypeError, match="text must be a str, found") as error:
        resolve_splitter(splitter)(bad)
    assert type(bad).__name__ in str(error.value)
    assert "ecret" not in str(error.value)


# Pieces from which hypothesis makes reports: words, marks, spaces, list markers.
PLAIN = [
    "Heart",
    "mass",
    "1.2",
    "cm",
    "Dr",
    "p.m",
    "XXXX",
    "肝",
    "あり",
    "なし",
    "です",
    "を",
    "た",
]
MARKS = [".", "。", "．", "!", "？", ")", "（", "」", '"', ",", "、", ":"]
SPACES = [" ", "\n", "\r\n", "\u3000", "\t", "\n\n"]
LISTS = ["1.", " 2. ", "(3)", "① ", "\n・", "\n- ", "\n----\n", "a) "]
TITLES = ["\nFINDINGS: ", "\nFindings", "【所見】", "\n診断：", " IMPRESSION: ", "\n比較\n"]


def reports(*pieces):
    return st.lists(st.sampled_from([p for group in pieces for p in group]), max_size=40).map(
        "".join
    )


@given(reports(PLAIN, MARKS, SPACES, LISTS, TITLES) | st.text(max_size=80))
@example("A.\x85B\x1c.\u2028 ")
def test_sentences_are_slices_in_order(text):
    position = 0
    for start, end, section in split_sentences(text):
        assert position <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert section in SECTIONS
        position = end


def left_out(text):
    sentences = split_sentences(text)
    starts, ends = [s.start for s in sentences], [s.end for s in sentences]
    return [text[i:j] for i, j in zip([0, *ends], [*starts, len(text)], strict=True)]


# Not the number: "1.2. x" of a list is a marker, and rightly left out.
@given(reports([word for word in PLAIN if not word[0].isdigit()], MARKS, SPACES))
def test_all_of_a_text_without_headings_and_markers_is_kept(text):
    assert "".join(left_out(text)).strip() == ""


@given(reports(PLAIN, MARKS, SPACES, LISTS, TITLES))
def test_only_headings_and_markers_are_left_out(text):
    phrases = sorted(_PHRASES, key=len, reverse=True)
    for part in left_out(text):
        rest = MARKER.sub("", part)
        rest = re.sub("|".join(map(re.escape, phrases)), "", rest, flags=re.IGNORECASE)
        assert re.sub(r"[\s:：【】（）()\[\]-]", "", rest) == ""


@given(reports(PLAIN, MARKS, [" ", "\u3000", "\n", "\n\n"], LISTS, TITLES))
def test_windows_line_ends_change_nothing(text):
    windows = text.replace("\n", "\r\n")
    assert [s.replace("\r\n", "\n") for s in cut(windows)] == cut(text)


@given(
    st.lists(st.sampled_from(["No mass.", "Is it old?", "肝癌です。", "胸水なし。"]), max_size=9)
)
def test_finished_sentences_come_back_whole(sentences):
    for between in ("\n", "\n\n", " "):
        assert cut(between.join(sentences)) == sentences


@pytest.mark.parametrize(
    "piece",
    [
        ".",
        " ",
        "a",
        "A.",
        "? ",
        "あ",
        "【",
        "FINDINGS",
        "1. ",
        "・",
        "\n",
        "a\n",
        "CT/-",
        "(",
        "-・",
    ],
)
def test_long_and_odd_reports_are_split(piece):
    text = piece * 20_000 + "x"
    kept = sum(end - start for start, end, _ in split_sentences(text))
    assert kept <= len(text)


def test_lines():
    split = resolve_splitter("lines")
    text = " FINDINGS: A. B\r\n\n \t\n2. C \x0b"
    assert [text[s.start : s.end] for s in split(text)] == ["FINDINGS: A. B", "2. C"]
    assert {s.section for s in split(text)} == {""}


def test_a_callable_may_return_strings_pairs_or_sentences():
    text = "mass ; cyst; mass"
    expected = [(0, 4, ""), (7, 11, ""), (13, 17, "")]
    assert resolve_splitter(lambda t: t.split(";"))(text) == expected
    assert resolve_splitter(lambda t: iter([(0, 5), np.array([6, 11]), [12, 17]]))(text) == expected
    given_back = [Sentence(0, 4, "findings")]
    assert resolve_splitter(lambda t: given_back)(text) == given_back
    assert resolve_splitter(lambda t: [])(text) == []
    assert resolve_splitter("auto") is split_sentences


def test_the_resolved_function_can_be_pickled():
    split = pickle.loads(pickle.dumps(resolve_splitter(str.splitlines)))
    assert split("a\nb") == [(0, 1, ""), (2, 3, "")]


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (["Secret", "Not there"], ValueError, "sentence 2 was not found"),
        (["scar", "Secret"], ValueError, "sentence 2 was not found"),
        (["Secret", "  "], ValueError, "sentence 2 is blank"),
        ([(0, 6), (4, 9)], ValueError, r"sentence 2 has offsets \(4, 9\)"),
        ([(0, 99)], ValueError, "not above 12"),
        ([(-3, 6)], ValueError, "sentence 1 has offsets"),
        ([(5, 2)], ValueError, "sentence 1 has offsets"),
        ([(6, 7)], ValueError, "sentence 1 is blank"),
        ([Sentence(0, 6, "Secret")], ValueError, "sentence 1 has an unknown section"),
        ([(0.0, 6.0)], TypeError, "sentence 1 must be a str or a pair of int, found tuple"),
        ([(0, 1, 2)], TypeError, "sentence 1 must be a str or a pair of int, found tuple"),
        ([None], TypeError, "found NoneType"),
        ([b"Secret"], TypeError, "found bytes"),
        ("Secret scar.", TypeError, "splitter returned str"),
        (None, TypeError, "splitter returned NoneType"),
    ],
)
def test_what_a_callable_returns_is_checked(result, error, message):
    with pytest.raises(error, match=message) as caught:
        resolve_splitter(lambda text: result)("Secret scar.")
    assert "ecret" not in str(caught.value)


@pytest.mark.parametrize("bad", ["sentences", None, 3])
def test_unknown_splitter(bad):
    with pytest.raises(ValueError, match="splitter must be 'auto', 'lines' or a callable, found"):
        resolve_splitter(bad)


@pytest.mark.parametrize(
    ("text", "share"), [("", 0), ("1.2 。", 0), ("mass", 0), ("肝癌", 1), ("ｶﾝ、肝ab", 0.6)]
)
def test_cjk_share(text, share):
    assert cjk_share(text) == pytest.approx(share)


@pytest.mark.parametrize("name", ["iu_xray_reports", "jichi_ja_counterfactual"])
def test_as_many_sentences_as_in_labelled_reports(name):
    # Where they differ, the given list breaks behind "Dr." and before "there is", or keeps the
    # number of the next list item.
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="reading the real tables needs pyarrow")
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    path = Path(os.environ.get("MEDSEL_DATA", default)) / "reports" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"real data: {path.name} is not in MEDSEL_DATA")
    table = pd.read_parquet(path)
    same_count = same_text = again = total = 0
    for text, expected in zip(table["text"], table["sentences"], strict=True):
        found = cut(text)
        same_count += len(found) == len(expected)
        same_text += len(found) == len(expected) and all(
            whole.endswith(part) for whole, part in zip(expected, found, strict=True)
        )
        total += len(found)
        again += sum(cut(sentence) == [sentence] for sentence in found)
    assert same_count / len(table) >= 0.98
    assert same_text / len(table) >= 0.97
    assert again / total >= 0.999
