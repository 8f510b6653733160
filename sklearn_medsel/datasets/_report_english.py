"""English phrases of made reports. All sentences were written for this package."""

import re

from sklearn_medsel.datasets._report_english_words import LOOKS, NAMES, SITES
from sklearn_medsel.datasets._report_phrases import Phrases

_TAILS = {
    "important": (
        "; further work-up is advised", ", which needs attention",
        "; clinical correlation is advised", "; follow-up CT is recommended", "; please correlate",
    ),
    "tumour": (", suspicious for malignancy", ", probably malignant"),
    "benign": (
        ", likely benign", ", of no clinical significance", "; no follow-up is needed",
        "; clinical correlation is advised", ", not suspicious for malignancy",
        "; please correlate", "; follow-up as clinically indicated",
    ),
}  # fmt: skip

_NORMAL = {
    "lung": (
        "The [lungs|lung fields] are [clear|well aerated|normally expanded].",
        "The [remaining|visualised] lung parenchyma is [unremarkable|normal].",
    ),
    "pleura": (
        "The pleural spaces are [clear|unremarkable].",
        "The costophrenic angles are [sharp|clear].",
    ),
    "mediastinum": (
        "The mediastinal contours are [normal|unremarkable|preserved].",
        "The hila are [of normal size|unremarkable].",
    ),
    "aorta": ("The aorta is [of normal calibre|normal in course and calibre].",),
    "heart": (
        "[Heart size|Cardiac size] is [normal|within normal limits].",
        "The heart is [not enlarged|of normal size].",
    ),
    "rib": ("The [bony thorax|thoracic skeleton] is [intact|unremarkable].",),
    "liver": (
        "The liver is [normal in size and density|of normal size and contour|unremarkable].",
    ),
    "kidney": ("Both kidneys are [normal in size|unremarkable|of normal size and contour].",),
    "pancreas": ("The pancreas is [normal|unremarkable|normal in size].",),
    "bowel": ("The bowel loops are [unremarkable|of normal calibre].",),
    "spine": ("The lumbar [spine|vertebrae] and pelvis are [intact|unremarkable].",),
    "brain": (
        "The [brain parenchyma|cerebral parenchyma] is [normal|unremarkable].",
        "Grey and white matter are [well differentiated|normally differentiated].",
    ),
    "meninges": ("The [ventricles|cisterns] are [normal in size|symmetrical|not displaced].",),
    "skull": ("The [calvarium|skull] is [intact|unremarkable].",),
    "sinus": ("The paranasal sinuses are [clear|well aerated].",),
}  # fmt: skip

_SEEN = "[seen|noted|present|identified|visible|found|demonstrated]"
_TEMPLATES = {
    "present": (
        "There is {a_np} {site}{tail}.", "{a_np} is " + _SEEN + " {site}{tail}.",
        "[In this examination|On the current images|Today] {a_np} is " + _SEEN + " {site}{tail}.",
        "{place}: {np}{tail}.",
        "[The images show|The scan shows|The scan demonstrates] {a_np} {site}{tail}.",
        "{a_np} {site}{tail}.",
        "[Findings|Appearances] [consistent|compatible|in keeping] with {a_np} {site}.",
    ),
    "suspected": (
        "[Findings|Appearances] [suspicious|concerning|worrisome] for {a_np} {site}.",
        "[Possible|Probable|Suspected] {np} {site}; [further evaluation|short-term follow-up|"
        "prompt review] is [advised|recommended].",
        "{a_np} {site} is [suspected|likely|probable].",
    ),
    "absent": (
        "No {list} is " + _SEEN + ".", "No [evidence|sign|radiological sign] of {list}.",
        "There is no {list}.", "[The study|The examination|This scan] is negative for {list}.",
        "{list} is not " + _SEEN + ".", "[Nothing|No finding] [suspicious|concerning] for {list}.",
        "No {list}.", "Neither sign nor suspicion of {list}.",
    ),
    "absent_at": (
        "No {name} is " + _SEEN + " {site}.", "There is no {name} {site}.",
        "No [convincing|definite] {name} {site}.",
    ),
    "old": (
        "[The known|The previously described] {np} {site} is [unchanged|stable] since {year}.",
        "[Known|Long-standing|Old] {np} {site}, [unchanged|stable] [for years|over several years|"
        "since {year}].",
        "{a_np} {site}, already [present|described|visible] in {year} and [unchanged|not larger].",
    ),
    "same": (
        "The {np} {site} is [unchanged|stable|the same as before].",
        "[Unchanged|Stable] {np} {site}.",
    ),
    "grown": (
        "The {name} {site} has [increased|grown|progressed] from {was} to {size}.",
        "[Larger|Increased] {name} {site}, now {size} ([previously|before] {was}).",
        "[Interval increase|Progression] of the {name} {site}, now {size}.",
    ),
    "shrunk": (
        "The {name} {site} has [decreased|regressed] from {was} to {size}.",
        "[Smaller|Decreased] {name} {site}, now {size} ([previously|before] {was}).",
    ),
    "resolved": (
        "[The previously seen|The former|The known] {name} {site} has [resolved|disappeared|"
        "cleared].",
        "[The earlier|The formerly described] {name} {site} is no longer " + _SEEN + ".",
        "[Complete resolution|Interval clearing] of the {name} {site}.",
    ),
    "unlikely": (
        "[A subtle change|A faint density|A vague irregularity] {site} is [most likely|probably] "
        "[artefact|a partial volume effect|a normal variant]; {a_name} is [unlikely|considered "
        "unlikely|not favoured].",
        "[Questionable|Apparent] {name} {site}, [probably|most likely] [projectional|due to "
        "motion|artefact].",
    ),
    "asked": (
        "{symptom}, [rule out|evaluate for|question of|assess for] {name}.",
        "{symptom}; [suspicion|concern] of {name}.",
        "[History of|Known|Treated] {name}, [follow-up|now {symptom}|routine control].",
    ),
    "technique": (
        "CT of the {exam} [with|without] [contrast|intravenous contrast].",
        "[Axial|Multiplanar] [images|reconstructions] of the {exam} were [obtained|reviewed].",
        "[The earlier|The prior|An outside] study of {year} was [available|used] for comparison.",
        "Image quality is [good|adequate|limited by motion].",
    ),
    "summary": (
        "No {other}acute abnormality.", "No {other}[significant|relevant] finding in the {exam}.",
        "{place_other}[unremarkable|normal] examination of the {exam}.",
        "No {other}abnormality that needs action.",
    ),
    "other": ("other ", "further ", "additional "),
    "place_other": ("otherwise ",),
}  # fmt: skip


def _listing(names, word):
    head = ", ".join(names[:-1])
    return f"{head} {word} {names[-1]}" if head else names[-1]


def _article(phrase, bare):
    if bare:
        return phrase
    # "an 8 mm", "an 11 mm", "an 18 mm"
    an = phrase[0].lower() in "aeiou8" or phrase[:3] in ("11 ", "18 ")
    return ("an " if an else "a ") + phrase


def _place(site):
    return re.sub(r"^(in|at|on|over|along|under|beside|around|below)( the| a)? ", "", site)


ENGLISH = Phrases(
    names=NAMES,
    looks=LOOKS,
    tails=_TAILS,
    sites=SITES,
    exams={
        "chest": "[chest|thorax]",
        "abdomen": "[abdomen|abdomen and pelvis]",
        "head": "[head|brain]",
    },
    symptoms={
        "chest": "[cough|chest pain|shortness of breath|fever|fall from stairs|weight loss]",
        "abdomen": "[abdominal pain|fever|weight loss|jaundice|flank pain|back pain]",
        "head": "[headache|dizziness|weakness of the left arm|fall|confusion|seizure]",
    },
    normal=_NORMAL,
    templates=_TEMPLATES,
    grades=("small", "moderate", "large"),
    sizes=("{mm} mm", "{cm:.1f} cm", "{cm:.1f} x {cm2:.1f} cm"),
    sized=("{size} {look}{name}", "{look}{name} measuring {size}", "{look}{name} of {size}"),
    graded="{size} {name}",
    listing=_listing,
    article=_article,
    place=_place,
    headings={
        "asked": ("INDICATION:", "CLINICAL HISTORY:"),
        "technique": ("TECHNIQUE:", "EXAMINATION:"),
        "body": ("FINDINGS:", "Findings:"),
        "impression": ("IMPRESSION:", "Impression:", "CONCLUSION:"),
    },
    prefix=("Clinical history: ", "Indication: ", ""),
    joints=(" ", "\n"),
    stop=".",
    width=(56, 76),
    gap=" ",
    year="{}",
)
