"""What a made report can speak of: kinds of finding, examinations, and how a language says it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of finding, whatever the language.

    `group` and `urgent` belong to the important kinds; a benign kind has no group. `size` is the
    range in mm, `graded` says that it comes small, moderate or large, and `ages` that it may be
    reported as known for years, which makes it unimportant.
    """

    name: str
    regions: tuple[str, ...]
    group: str | None = None
    urgent: bool = False
    size: tuple[int, int] | None = None
    graded: bool = False
    ages: bool = False


@dataclass(frozen=True)
class Phrases:
    """How one language says it; the tables of `_report_english` and `_report_japanese`.

    Templates are written ``"is [seen|noted] {site}"``: one of the words in square brackets is
    drawn for each sentence, one of those in angle brackets for each report, which gives a report
    a style. Names in braces are filled in.
    """

    names: dict[str, tuple[str, ...]]
    looks: dict[str, tuple[str, ...]]
    tails: dict[str, tuple[str, ...]]
    sites: dict[str, tuple[str, ...]]
    exams: dict[str, str]
    symptoms: dict[str, str]
    normal: dict[str, tuple[str, ...]]
    templates: dict[str, tuple[str, ...]]
    grades: tuple[str, str, str]
    sizes: tuple[str, ...]
    sized: tuple[str, ...]
    graded: str
    listing: Callable[[list[str], str], str]
    article: Callable[[str, bool], str]
    place: Callable[[str], str]
    headings: dict[str, tuple[str, ...]]
    prefix: tuple[str, ...]
    joints: tuple[str, ...]
    stop: str
    width: tuple[int, int]
    gap: str
    year: str
    n_styles: int = 1


# Which regions of the body an examination shows, and how often it is drawn.
EXAMS = {
    "chest": ("lung", "apex", "pleura", "mediastinum", "artery", "aorta", "rib", "heart"),
    "abdomen": ("liver", "kidney", "pancreas", "peritoneum", "nodes", "aorta", "bowel", "spine"),
    "head": ("brain", "meninges", "skull", "sinus"),
}
EXAM_FRACTIONS = {"chest": 0.5, "abdomen": 0.3, "head": 0.2}

# Regions that nobody mentions when they are normal.
UNSPOKEN = ("apex", "artery", "peritoneum", "nodes")

GROUPS = ("air_fluid", "bleeding", "fracture", "infection", "tumour", "vessel")

IMPORTANT = (
    Kind("nodule", ("lung",), "tumour", size=(5, 28), ages=True),
    Kind("mass", ("lung", "mediastinum", "liver", "kidney", "pancreas", "brain"), "tumour",
         size=(30, 80), ages=True),
    Kind("metastasis", ("liver", "rib", "spine", "brain"), "tumour", size=(8, 40)),
    Kind("adenopathy", ("mediastinum", "nodes"), "tumour", size=(12, 35), ages=True),
    Kind("pneumothorax", ("apex",), "air_fluid", urgent=True, graded=True),
    Kind("effusion", ("pleura",), "air_fluid", graded=True, ages=True),
    Kind("free_air", ("peritoneum",), "air_fluid", urgent=True),
    Kind("ascites", ("peritoneum",), "air_fluid", graded=True, ages=True),
    Kind("consolidation", ("lung",), "infection", size=(20, 70)),
    Kind("abscess", ("liver", "kidney", "bowel"), "infection", urgent=True, size=(15, 60)),
    Kind("fracture", ("rib", "spine", "skull"), "fracture", urgent=True, ages=True),
    Kind("embolus", ("artery",), "vessel", urgent=True),
    Kind("dissection", ("aorta",), "vessel", urgent=True, ages=True),
    Kind("aneurysm", ("aorta",), "vessel", size=(36, 62), ages=True),
    Kind("infarct", ("brain", "kidney"), "vessel", urgent=True, size=(8, 50), ages=True),
    Kind("haemorrhage", ("brain", "liver", "kidney"), "bleeding", urgent=True, size=(8, 60),
         ages=True),
    Kind("subdural", ("meninges",), "bleeding", urgent=True, graded=True, ages=True),
)  # fmt: skip

BENIGN = (
    Kind("granuloma", ("lung",), size=(3, 12)),
    Kind("scar", ("lung", "kidney"), size=(6, 25)),
    Kind("atelectasis", ("lung",), graded=True),
    Kind("bulla", ("lung", "apex"), size=(8, 40)),
    Kind("thickening", ("pleura", "apex"), graded=True),
    Kind("coronary", ("heart",), graded=True),
    Kind("small_node", ("mediastinum", "nodes"), size=(4, 9)),
    Kind("cyst", ("liver", "kidney", "pancreas"), size=(5, 60)),
    Kind("haemangioma", ("liver", "spine"), size=(6, 35)),
    Kind("stone", ("kidney",), size=(3, 9)),
    Kind("diverticula", ("bowel",)),
    Kind("calcification", ("aorta",), graded=True),
    Kind("bone_island", ("rib", "spine", "skull"), size=(3, 12)),
    Kind("degeneration", ("spine", "rib"), graded=True),
    Kind("white_matter", ("brain",), graded=True),
    Kind("arachnoid_cyst", ("meninges",), size=(8, 45)),
    Kind("retention_cyst", ("sinus",), size=(6, 25)),
    Kind("mucosa", ("sinus",), graded=True),
)


def kinds_of(exam, pool):
    """Kinds of a pool that an examination can show."""
    shown = set(EXAMS[exam])
    return [kind for kind in pool if shown & set(kind.regions)]
