"""Colours and style sheet of the page of reports, in light and in dark.

Every rule is bound to the class ``medsel-reports``, so that nothing else in a notebook changes.
What colour says, underlining, ranks and figures say again.
"""

from sklearn_medsel._colours import DARK, LIGHT
from sklearn_medsel.inspection._report_rows import GRADES

_USED = ("paper", "ground", "ink", "muted", "line", "accent", "second")
# Background of the strongest sentence: warm speaks for a class, cool against it.
_STRONGEST = {
    "light": {"for": "#ffb36b", "against": "#8fd3df"},
    "dark": {"for": "#87410f", "against": "#0d5a69"},
}
# Underlines, in pixels, by grade.
_UNDERLINES = (0, 1, 1.5, 2, 3, 4)


def _mix(one, other, share):
    """Mix two colours written as #rrggbb."""
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + share * (b - a)):02x}" for a, b in pairs)


def colours(mode):
    """Colours of the page by name, such as "ink" and "for-5".

    Parameters
    ----------
    mode : {"light", "dark"}

    Returns
    -------
    dict of str to str
    """
    base = LIGHT if mode == "light" else DARK
    found = {name: base[name] for name in _USED}
    for side, strongest in _STRONGEST[mode].items():
        for grade in range(1, GRADES + 1):
            # the weakest shade must still differ from the paper
            share = 0.15 + 0.85 * grade / GRADES
            found[f"{side}-{grade}"] = _mix(base["paper"], strongest, share)
    return found


def _variables(mode):
    listed = "".join(f"--medsel-{name}:{value};" for name, value in colours(mode).items())
    return f"{{color-scheme:{mode};{listed}}}"


def _grades():
    return "".join(
        f".medsel-reports .medsel-{side}-{grade}{{background:var(--medsel-{side}-{grade});"
        f"text-decoration-thickness:{_UNDERLINES[grade]}px}}\n"
        for side in ("for", "against")
        for grade in range(1, GRADES + 1)
    )


# A notebook's or a documentation's own theme goes before that of the system.
_LIGHT_PAGES = '[data-jp-theme-light="true"],[data-theme="light"],.vscode-light'
_DARK_PAGES = '[data-jp-theme-light="false"],[data-theme="dark"],.vscode-dark'

CSS = (
    f".medsel-reports{_variables('light')}\n"
    f"@media (prefers-color-scheme:dark){{.medsel-reports{_variables('dark')}}}\n"
    f":is({_LIGHT_PAGES}) .medsel-reports{_variables('light')}\n"
    f":is({_DARK_PAGES}) .medsel-reports{_variables('dark')}\n"
    f"@media print{{.medsel-reports.medsel-reports.medsel-reports{_variables('light')}}}\n"
    + _grades()
    + """
.medsel-reports{color:var(--medsel-ink);background:var(--medsel-ground);padding:.9em 1em;
  border-radius:.6em;max-width:56em;box-sizing:border-box;
  font:15px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
.medsel-reports .medsel-legend{color:var(--medsel-muted);font-size:13px;margin:0 0 .7em}
.medsel-reports .medsel-legend mark{padding:0 .5em}
.medsel-reports .medsel-card{background:var(--medsel-paper);border:1px solid var(--medsel-line);
  border-radius:.6em;padding:.8em 1.1em 1em;margin:0 0 .8em}
.medsel-reports .medsel-card h3{font-size:1.15em;line-height:1.4;margin:0;color:inherit;
  font-weight:650}
.medsel-reports .medsel-card h4{font-size:.92em;line-height:1.4;margin:.9em 0 0;color:inherit;
  font-weight:650;overflow-wrap:anywhere}
.medsel-reports .medsel-verdict{display:flex;flex-wrap:wrap;align-items:center;gap:.1em .7em;
  margin:.25em 0;font-size:.92em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.medsel-reports .medsel-bar{display:inline-block;position:relative;width:9em;height:.7em;
  border:1px solid var(--medsel-muted);border-radius:2px;background:var(--medsel-paper);flex:none}
.medsel-reports .medsel-fill{display:block;height:100%;background:var(--medsel-accent)}
.medsel-reports .medsel-limit{position:absolute;top:-4px;bottom:-4px;width:0;margin-left:-1px;
  border-left:2px solid var(--medsel-ink)}
.medsel-reports .medsel-chip{display:inline-block;border:1px solid var(--medsel-muted);
  border-radius:99px;padding:0 .6em;font-size:.82em;line-height:1.5;white-space:nowrap;
  color:var(--medsel-ink);background:var(--medsel-paper)}
.medsel-reports .medsel-flagged{background:var(--medsel-for-5);border-color:var(--medsel-second);
  font-weight:700}
.medsel-reports .medsel-note{color:var(--medsel-muted);font-size:.85em;margin:.35em 0}
.medsel-reports .medsel-text{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;
  line-height:1.8;color:inherit;background:none;border:0;padding:0;margin:.5em 0 0;
  overflow:visible}
.medsel-reports mark{color:var(--medsel-ink);padding:.1em .1em;border-radius:2px;
  -webkit-box-decoration-break:clone;box-decoration-break:clone;print-color-adjust:exact;
  text-decoration:underline solid;text-underline-offset:.24em;text-decoration-skip-ink:none}
.medsel-reports mark.medsel-minus{text-decoration-style:dashed}
.medsel-reports .medsel-top{font-weight:700}
.medsel-reports .medsel-rank,.medsel-reports .medsel-value,.medsel-reports .medsel-badge{
  -webkit-user-select:none;user-select:none;white-space:nowrap;font-weight:600}
.medsel-reports .medsel-value{font-size:.74em;line-height:1;
  vertical-align:super;font-variant-numeric:tabular-nums}
.medsel-reports .medsel-badge{font-size:11.5px;line-height:1.35;padding:0 .4em;
  margin:0 .35em 0 .15em;border:1px solid var(--medsel-muted);border-radius:3px;
  color:var(--medsel-ink);background:var(--medsel-paper);display:inline-block;vertical-align:.1em;text-decoration:none}
.medsel-reports .medsel-new,.medsel-reports .medsel-changed{border:2px solid var(--medsel-second)}
.medsel-reports .medsel-kept{border:0;background:none;color:var(--medsel-muted);padding:0}
.medsel-reports .medsel-earlier{margin:.2em 0 0;padding-left:1.9em}
.medsel-reports .medsel-earlier li{margin:.15em 0;white-space:pre-wrap;overflow-wrap:anywhere}
.medsel-reports del{color:var(--medsel-muted);text-decoration:line-through}
@media (forced-colors:active){.medsel-reports .medsel-fill{background:CanvasText;
  forced-color-adjust:none}}
@media print{.medsel-reports{background:none;padding:0;max-width:none}
.medsel-reports .medsel-card{break-inside:avoid}}
"""
)
