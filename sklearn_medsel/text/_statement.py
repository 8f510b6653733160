"""What a sentence states, read by rules: terms, polarity, place, size, and words of change.

Two sentences of different reports can be about the same thing only if these agree. Rules, not
learnt: they read English and Japanese as radiologists commonly write, and miss what they do not
know. In doubt two statements count as different, so that one is listed as new, not as unchanged.
"""

import re
import unicodedata
from typing import NamedTuple

from sklearn_medsel.text._polarity import MARK, denied_words

NORMAL, MIXED, ABNORMAL = 1, 0, -1


class Statement(NamedTuple):
    """What a sentence states.

    Attributes
    ----------
    text : str
        The sentence in lower case and half width, letters and digits only.
    shape : str
        The same with every number replaced by 0.
    terms : frozenset of (str, bool)
        Words, or pairs of Japanese characters, that say what it is about; the flag says whether
        they are denied.
    side, level, place : frozenset of str
        Left, right or both; upper, middle or lower; vertebrae, ribs, segments. Empty if unsaid.
    sizes : frozenset of (str, float)
        Present sizes and other numbers with their unit, lengths in mm.
    degrees, course : frozenset of str
        Words for how much (a small effusion) and where it is going ("worse", "better").
    asks : bool
        Whether this is what the examination was asked for, and nothing that was found.
    state : int
        `NORMAL` if all is denied or called normal, `ABNORMAL` if nothing is, else `MIXED`.
    """

    text: str
    shape: str
    terms: frozenset
    side: frozenset
    level: frozenset
    place: frozenset
    sizes: frozenset
    degrees: frozenset
    course: frozenset
    asks: bool
    state: int


# Wordings that mean the same as a simpler one, or that would be misread as a denial: a nodule
# that shows no change is there.
_NOT_JA = (
    "(?:ない|なく|なし|無し|無く|認めず|認めない|認めません|認められ(?:ない|ず|ません)|みられ(?:ない|ず|ません)"
    "|見られ(?:ない|ず|ません)|指摘でき(?:ない|ず|ません)|ありません|乏しい)"
)
_LITTLE = "(?:(?:significant|interval|definite|appreciable|substantial) )*"
_FOLDS = {
    script: [(re.compile(pattern), simpler) for pattern, simpler in folds]
    for script, folds in {
        "latin": (
            (r"\br(?=[uml]l\b)", "right "),
            (r"\bl(?=[ul]l\b)", "left "),
            (r"(?:(?<=right )|(?<=left ))ul\b", "upper lobe"),
            (r"(?<=right )ml\b", "middle lobe"),
            (r"(?:(?<=right )|(?<=left ))ll\b", "lower lobe"),
            (r"\bfree (?:of|from)\b", "no"),
            # "No effusion, new nodule" denies no nodule; a semicolon ends what is denied.
            (r",(?= (?:new|stable|unchanged|persistent|there (?:is|are))\b)", ";"),
            (rf"\bno {_LITTLE}changes?(?= ?(?:,|or\b|and\b))", "no"),
            (
                rf"\b(?:no|without) {_LITTLE}(?:changes?|progression|growth|increase in size)\b",
                "unchanged",
            ),
            (rf"\bnot {_LITTLE}(?:changed|larger|grown|increased|worsened)\b", "unchanged"),
            # Only where nothing else is denied with it: "no mass or other abnormality" stays.
            (
                r"\b(?:no|without|negative for) ((?:(?!or\b|and\b|nor\b|focal\b|air)[a-z]+ ){0,4})"
                r"(?:abnormalit(?:y|ies)|findings?|process|disease)"
                r"(?=(?: (?:is|are))?(?: (?:seen|identified|noted|detected|present))?[ .]*$)",
                r"normal \1",
            ),
            (
                r"\b(?:nothing|neither|(?:complete )?resolution of|(?:interval )?clearing of)\b",
                "no",
            ),
            (r"\bnot (?:found|detected|favou?red)\b|\b(?:considered )?unlikely\b", "not seen"),
            (r"\bnormal variant", "variant"),
            (r"\b(?:well|fully)[ -](?=aerated|expanded|inflated)", "normal "),
        ),
        "cjk": (
            (
                rf"(?<![や、・と])(?:著変|変化|変わり|増大|増悪|進行)(?:傾向)?[のはがもを]?{_NOT_JA}",
                "不変",
            ),
            ("変わ(?:らない|らず|りません)", "不変"),
            (rf"(?:(?<=[にな])|^)(?:異常|特記所見)(?:所見)?[はをも]?{_NOT_JA}", "正常"),
            # What only describes a finding does not deny it: 転位のない骨折を認める。
            ("(?:の|伴わ)ない(?=[一-鿿ァ-ヶ])", "なき"),
            ("矛盾し(?:ない|ません)", "合致する"),
            ("(?:否定|除外)でき(?:ない|ず|ません)", "疑う"),
            ("考えにくい", "否定的"),
            ("正常変異", "変異"),
        ),
    }.items()
}


def _words(text):
    return frozenset(text.split())


_NUMBER_OF = {
    word: str(number)
    for words in (
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
        "i ii iii iv v vi vii viii",
        "一 二 三 四 五 六 七 八 九 十",
    )
    for number, word in enumerate(words.split(), start=1)
}

# English words, and Japanese ones that may stand within others.
_SIDES = {
    "left": (_words("left"), "左"),
    "right": (_words("right"), "右"),
    "both": (_words("both bilateral bilaterally bibasilar bibasal biapical"), "両"),
}
_LEVELS = {
    "upper": (_words("upper apex apical apice biapical"), "上葉 上肺 上極 肺尖"),
    "middle": (_words("middle mid"), "中葉 中肺"),
    "lower": (_words("lower base basal basilar bibasilar bibasal"), "下葉 下肺 下極 肺底"),
}
_PLACE = re.compile(
    r"\b(?P<area>segment|station|zone|rib) (?P<of>[1-9]\d?[rl]?|[iv]+)\b"
    r"|\b(?P<nth>\d{1,2}(?=st|nd|rd|th)|[a-z]+th|first|second|third)(?:st|nd|rd|th)?"
    r" (?:(?:left|right) )?(?P<bone>rib|cervical|thoracic|lumbar|sacral)"
    r"|第?(?P<nth_ja>\d{1,2}|[一二三四五六七八九十])(?P<bone_ja>胸椎|腰椎|頸椎|仙椎|肋骨)"
    r"|(?<![a-z\d])(?P<code>(?:th|[clts]|#)\d{1,2})(?![\d.]|mm|cm)"
)
# "L1" is the first lumbar vertebra, "S7" segment 7, "#7" station 7.
_LETTER = {
    "segment": "s", "station": "#", "cervical": "c", "thoracic": "t", "lumbar": "l",
    "sacral": "s", "頸椎": "c", "胸椎": "t", "腰椎": "l", "仙椎": "s", "肋骨": "rib",
}  # fmt: skip
_ASKS = re.compile(
    r"\b(?:rule out|r/o|evaluate for|assess for|question of|history|indication)\b"
    "|の精査|の除外|の有無|既往|検査目的|臨床情報"
)
_NUMBER = r"\d+(?:\.\d+)?"
_UNIT = r"(?:mm|cm|ml|cc|%|hu|degrees|°|度|ミリ|センチ)(?![a-z])"
_NUMBERS = rf"{_NUMBER}(?: ?[x×*] ?{_NUMBER})*"
_SIZE = re.compile(rf"({_NUMBERS}) ?({_UNIT})|\b(suv)\D{{0,8}}({_NUMBER})")
_FORMER = re.compile(  # sizes that a report only recalls
    rf"(?:\b(?:previously|formerly|before|from)|前回|以前)[はの:]? ?{_NUMBERS} ?{_UNIT}"
    rf"|{_NUMBERS} ?{_UNIT}(?=から)"
)
_IN_MM = {"cm": 10, "センチ": 10, "mm": 1, "ミリ": 1}

_WORSE = _words(
    "increase increased increasing larger enlarging grown growing progressed progression "
    "progressing progressive worse worsened worsening new newly "
    "増大 増悪 拡大 増加 進行 悪化 新た 新出 出現 新規"
)
_BETTER = _words(
    "decrease decreased decreasing smaller regressed regression improved improvement improving "
    "resolving 縮小 減少 改善 退縮 軽快"
)
_DEGREES = {
    word: degree
    for degree, words in {
        "small": "tiny minimal trace small mild slight slightly mildly subtle 少量 軽度 微量 小さ",
        "moderate": "moderate moderately 中等",
        "large": "large severe severely massive marked extensive 多量 高度 大量 著明 大き",
    }.items()
    for word in words.split()
}
_FINE = _words(
    "normal normally unremarkable clear intact preserved sharp symmetrical 正常 良好 保た"
)
# Words that any two findings may share.
_PLAIN = _words(
    "a an the is are was were be been has have had there this that these it its of in at on to "
    "for with by from and or as but also both no not without nor any seen noted identified "
    "present visible visualized visualised found demonstrated evident evidence sign study scan "
    "images image examination exam today current currently show finding appearance appear "
    "negative other further additional otherwise definite convincing significant now previously "
    "previous prior before again unchanged stable since interval change patient limits within "
    "suspicion suspicious concerning worrisome suspected possible probable probably likely "
    "consistent compatible keeping radiological considered mm cm "
    "認め 指摘 所見 描出 今回 前回 本検 検査 現在 以前 明ら 有意 不変 合致 示唆 "
    "疑う 疑い 疑わ 可能 同様"
)
_EMPTY = _PLAIN | _WORSE | _BETTER | _DEGREES.keys()
_KANA = re.compile("[ぁ-ん]")
_DIGIT = re.compile(r"\d")
_SEPARATORS = re.compile(r"[\W_]+")


def read_statement(sentence):
    """Read what a sentence states, see `Statement`."""
    text = " ".join(unicodedata.normalize("NFKC", sentence).lower().split())
    bare = _SEPARATORS.sub(" ", text).strip()
    shape = _SEPARATORS.sub(" ", re.sub(_NUMBER, "0", text)).strip()
    for script in ("latin",) if text.isascii() else ("latin", "cjk"):
        for pattern, simpler in _FOLDS[script]:
            text = pattern.sub(simpler, text)
    every = _terms(text)
    terms = frozenset(term for term in every if _has_content(term[0]))
    stated = {word for word, denied in every if not denied}
    course = {"worse"} if stated & _WORSE else set()
    course |= {"better"} if stated & _BETTER else set()
    words = {word for word, _ in every}
    side = _named(_SIDES, words, text)
    return Statement(
        text=bare,
        shape=shape,
        terms=terms or every,  # "Unchanged." is all there is
        side=frozenset({"both"}) if len(side) > 1 else side,
        level=_named(_LEVELS, words, text),
        place=frozenset(_place(found) for found in _PLACE.finditer(text)),
        sizes=_sizes(text),
        degrees=frozenset(_DEGREES[word] for word in stated & _DEGREES.keys()),
        course=frozenset(course),
        asks=_ASKS.search(text) is not None,
        state=_state(terms, stated),
    )


def has_changed(before, after):
    """Tell whether two statements on the same thing differ in size, degree, course or polarity."""
    if before.text == after.text:
        return False
    return bool(
        after.course
        or before.course
        or before.degrees != after.degrees
        or _adds_finding(before, after)
        or _sizes_differ(before.sizes, after.sizes)
    )


def _terms(text):
    terms = set()
    for word in denied_words(text):
        denied = word.startswith(MARK)
        terms.add((_singular(word[len(MARK) :] if denied else word), denied))
    return frozenset(terms)


def _singular(word):
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word


def _has_content(word):
    # What changes between two reports must not keep them apart: sizes, degrees, words of change.
    # Of the pairs of characters of a Japanese sentence, endings and particles say nothing.
    return not (word in _EMPTY or len(word) == 1 or _DIGIT.search(word) or _KANA.search(word))


def _state(terms, stated):
    marks = {denied for _, denied in terms}
    if stated & _FINE or marks == {True}:
        return NORMAL
    return MIXED if True in marks else ABNORMAL


def _named(names, words, text):
    return frozenset(
        name
        for name, (latin, cjk) in names.items()
        if words & latin or any(part in text for part in cjk.split())
    )


def _place(found):
    if found["code"]:
        return found["code"].replace("th", "t")
    name = found["area"] or found["bone"] or found["bone_ja"]
    number = found["of"] or found["nth"] or found["nth_ja"]
    return _LETTER.get(name, name) + _NUMBER_OF.get(number, number)


def _adds_finding(before, after):
    """Whether only one of the statements says, beside what is denied, that something is there."""
    if before.state == after.state:
        return False
    one, other = (before, after) if before.state == MIXED else (after, before)
    known = {word for word, _ in other.terms}
    return any(not denied and word not in known for word, denied in one.terms)


def _sizes(text):
    sizes = set()
    for numbers, unit, uptake, value in _SIZE.findall(_FORMER.sub("", text)):
        name = "mm" if unit in _IN_MM else unit or uptake
        for number in re.findall(_NUMBER, numbers or value):
            sizes.add((name, round(float(number) * _IN_MM.get(unit, 1), 2)))
    return frozenset(sizes)


def _sizes_differ(before, after):
    """A second diameter that only one report gives is no change."""
    if before == after:
        return False
    nested = before <= after or after <= before
    return not (before and after and nested and max(before) == max(after))
