"""Which script a text is in: Chinese and Japanese need other cuts and other encoders."""

import re

# Inside a character class. Radicals stand in for kanji where a PDF was copied; the middle dot is
# left out, being a list marker.
CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"
)
_CJK = re.compile(f"[{CJK}]")
_OTHER_LETTER = re.compile(rf"(?![{CJK}])[^\W\d_]")
_WIDE = re.compile(f"[{CJK}\u3000-\u303f\u30fb\uff01-\uff60]")


def is_cjk(character):
    """Whether a character, or none (""), is Chinese or Japanese."""
    return _CJK.match(character) is not None


def cjk_share(text):
    """Share of the letters of a text that are Chinese or Japanese.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    float
        Between 0 and 1; 0 for a text without letters. Digits and punctuation do not count.

    Examples
    --------
    >>> cjk_share("胸水なし"), cjk_share("No effusion."), cjk_share("CTで著変なし")
    (1.0, 0.0, 0.714...)
    """
    n_cjk = len(_CJK.findall(text))
    n_letters = n_cjk + len(_OTHER_LETTER.findall(text))
    return n_cjk / n_letters if n_letters else 0.0


def display_width(text):
    """Columns a line takes on a terminal: a Chinese or Japanese character takes two."""
    return len(text) + len(_WIDE.findall(text))
