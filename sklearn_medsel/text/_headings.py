"""Headings of radiology reports, English, Japanese and Chinese, and the section each opens.

Only phrases listed here are headings. An unknown label such as "Lungs:" or "腹部：" says what the
words after it are about, so it stays in the sentence: nothing that may matter is dropped.
"""

# The marks of Chinese and Japanese are meant, not the Latin ones they look like.
# ruff: noqa: RUF001, RUF002

import re
import unicodedata
from typing import NamedTuple

from sklearn_medsel.text._script import is_cjk

SECTIONS = (
    "",
    "history",
    "technique",
    "comparison",
    "findings",
    "impression",
    "recommendation",
    "other",
)

_ENGLISH = {
    "history": "history|clinical history|medical history|past medical history|history of present "
    "illness|hpi|indication|indications|clinical indication|indication for study|reason for exam|"
    "reason for examination|reason for study|reason for this examination|clinical information|"
    "clinical data|clinical details|clinical diagnosis|clinical question|clinical statement|"
    "referral diagnosis|chief complaint|symptoms|present illness",
    "technique": "technique|techniques|exam|examination|exams|examinations|study|procedure|"
    "procedures|protocol|method|methods|modality|type of exam|scan technique|"
    "imaging technique|exam type|exam date|date of exam",
    "comparison": "comparison|comparisons|comparison study|comparison studies|prior|prior study|"
    "prior studies|prior exam|previous study|previous studies|previous exam|"
    "previous examination|comparison exam",
    "findings": "finding|findings|results|result|report|description|observations|"
    "findings are as follows|other findings|additional findings",
    "impression": "impression|impressions|conclusion|conclusions|opinion|summary|assessment|"
    "diagnosis|diagnoses|interpretation|final diagnosis|overall impression|"
    "impression and recommendation|impression and plan",
    "recommendation": "recommendation|recommendations|follow-up|follow up|followup|plan|advice|"
    "suggestion|suggestions",
    "other": "addendum|note|notes|comment|comments|attestation|dictated by|signed by|reported by|"
    "electronically signed by|read by|signature|disclaimer|notification",
}
_CHINESE_JAPANESE = {
    "history": "臨床情報|臨床診断|臨床所見|臨床経過|臨床症状|病歴|現病歴|既往歴|主訴|検査目的|"
    "依頼目的|目的|依頼内容|依頼病名|依頼理由|適応|症状|経過|临床诊断|临床病史|临床信息|临床症状|"
    "病史|主诉|检查目的",
    "technique": "検査|検査名|検査種|検査種別|検査方法|検査法|検査内容|検査部位|検査項目|"
    "実施検査|撮影|撮像|撮影方法|撮像方法|撮影法|撮像法|撮影条件|撮像条件|撮影部位|撮像範囲|撮影範囲|方法|"
    "技術|手技|検査手技|造影剤|モダリティ|检查|检查方法|检查技术|检查部位|检查项目|扫描方法|"
    "扫描技术|技术|成像技术",
    "comparison": "比較|比較検査|比較画像|比較対象|比較対照|前回検査|前回|前回画像|前回との比較|"
    "対比|比較読影|对比|比较|对照|既往检查",
    "findings": "所見|読影所見|検査所見|画像所見|主要所見|主な所見|結果|検査結果|所见|影像所见|"
    "检查所见|影像表现|影像描述|表现|检查结果",
    "impression": "診断|画像診断|読影診断|放射線診断|診断名|印象|結論|結語|総括|総合|総合診断|"
    "総合評価|総合判定|判定|評価|考察|まとめ|要約|サマリー|サマリ|インプレッション|诊断|影像诊断|"
    "诊断意见|诊断印象|印象诊断|放射学诊断|结论|意见|提示|总结",
    "recommendation": "推奨|推奨事項|方針|今後の方針|提案|建议|随访建议",
    "other": "備考|付記|追記|コメント|連絡事項|読影医|報告者|診断医|検査日|备注|附注|报告医师|"
    "审核医师",
}
_PHRASES = {
    phrase: section
    for table in (_ENGLISH, _CHINESE_JAPANESE)
    for section, phrases in table.items()
    for phrase in phrases.split("|")
}
# What may stand before a phrase: "CT chest findings", "胸部造影CT所見".
_BEFORE = re.compile(
    r"(?:(?:ct|mri?|pet|us|x-?ray|radiograph(?:ic)?|imaging|chest|abdom(?:en|inal)|pelvi[cs]|head|"
    r"brain|neck|spine|thoracic|cardiac|radiologic(?:al)?|final|preliminary|relevant|brief)"
    r"[ /+&-]*|頭部|頭頸部|頸部|胸部|腹部|骨盤部?|脊椎|全身|単純|造影|ct|mri?|pet|[・/+-])+"
)
_PARTS = re.compile(r"\s*(?:[/&+・、,]| and |及び|および|と|和|及)\s*")
_REMARK = re.compile(r"\s*\([^()]{0,40}\)$")

_BRACKETED = re.compile(
    r"[【《〈＜<\[［〔（(][ \u3000]?([^】》〉＞>\]］〕）)\n]{1,40})"
    r"[】》〉＞>\]］〕）)][ \u3000]?[:：]?"
)
_LABEL = re.compile(
    r"([^\W\d_][^:：\n。]{0,60}?)(?:(?P<colon>[ \t\u3000]{0,3}[:：])"
    r"|(?P<dash>[ \u3000]{1,3}[-–—]+(?=\s|$))|(?P<gap> ?[\t\u3000]| (?= ))|(?P<alone>$))"
)
# "FINDINGS The lungs", "IMPRESSION 1. Normal", "所見 右肺に": no mark at all between.
_BARE = re.compile(
    r"([A-Z][A-Z &/]{2,40}) (?=[A-Z][a-z]|[A-Z] [a-z]|\d{1,2}[.)])"
    r"|(所見|診断|印象|結論|結語|臨床情報|検査目的|所见|诊断|结论) (?=[^ぁ-ん\s])"
)
# A heading in the middle of a line, also where the sentence before lacks its full stop.
INLINE = (
    r"(?:(?<=[a-z0-9.,;)\]]\s)(?:"
    + "|".join(
        re.escape(phrase.upper())
        for phrase in sorted(_PHRASES, key=len, reverse=True)
        if phrase.isascii() and len(phrase) > 3
    )
    + r")[ \t]?:)|[【《〔][^】》〕\n]{1,40}[】》〕]"
)


class Heading(NamedTuple):
    """A heading found: the section it opens and the offset behind it."""

    section: str
    stop: int


def match_heading(text, start, end, *, line_start=True):
    """Find the heading that begins at an offset, if there is one.

    Parameters
    ----------
    text : str
        The report.
    start, end : int
        Offsets of the line, or of the rest of it, without outer white space.
    line_start : bool, default=True
        Whether `start` begins a line. Elsewhere only a bracketed heading or one with a colon and
        a capital counts.

    Returns
    -------
    Heading or None
    """
    found = _BRACKETED.match(text, start, end)
    if found:
        # Round brackets also hold remarks: they are a heading only on a line of their own.
        section = _section(found[1])
        if section and (text[start] not in "(（" or (line_start and found.end() == end)):
            return Heading(section, found.end())
        return None
    found = _LABEL.match(text, start, end)
    if found:
        section = _section(found[1])
        if section and _is_marked(found, line_start):
            return Heading(section, found.end())
    found = _BARE.match(text, start, end) if line_start else None
    if found:
        section = _section(found[1] or found[2])
        if section:
            return Heading(section, found.end())
    return None


def _is_marked(found, line_start):
    label = found[1]
    native = is_cjk(label[-1])
    if found["colon"] is not None:
        return line_start or native or label[0].isupper()
    if not line_start:
        return False
    if found["gap"] is not None and "\t" not in found["gap"]:
        return native or label.isupper()
    return native or label[0].isupper()


def _section(label):
    """Section of a heading's words, or None. Of several, as in "findings/impression", the last."""
    phrase = unicodedata.normalize("NFKC", label).casefold().replace("(s)", "s")
    phrase = _REMARK.sub("", " ".join(phrase.split()))
    section = _PHRASES.get(phrase)
    if section is not None:
        return section
    for part in _PARTS.split(phrase):
        before = _BEFORE.match(part)
        section = _PHRASES.get(part) or (before and _PHRASES.get(part[before.end() :]))
        if section is None:
            return None
    return section
