"""The style sheet of the pages: light, dark, narrow and printed."""

from sklearn_medsel._colours import DARK, LIGHT


def _variables(colours):
    return "".join(f"--{name}:{value};" for name, value in colours.items())


CSS = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}"
    f"@media print{{:root{{{_variables(LIGHT)}}}}}"
    """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--ink);
  font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main,header>div,footer{max-width:64rem;margin:0 auto;padding:0 1.25rem}
header{background:var(--paper);border-bottom:1px solid var(--line);padding:2.25rem 0 1.75rem}
h1{font-size:clamp(1.55rem,4.5vw,2.25rem);line-height:1.2;margin:.1rem 0 .75rem;
  letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.3rem;line-height:1.3;margin:0 0 .5rem;letter-spacing:-.01em}
h3{font-size:1.02rem;margin:1.75rem 0 .25rem}
p{margin:.5rem 0;max-width:46rem;overflow-wrap:break-word}
a{color:var(--accent)}
.kicker{color:var(--accent);font-weight:600;font-size:.82rem;letter-spacing:.06em;
  text-transform:uppercase;margin:0}
.lead{font-size:1.12rem;line-height:1.55}
.muted,figcaption,caption{color:var(--muted)}
nav{margin-top:1.1rem;display:flex;flex-wrap:wrap;gap:.35rem .5rem;font-size:.9rem}
nav a{text-decoration:none;border:1px solid var(--line);border-radius:99px;padding:.2rem .8rem;
  color:var(--ink)}
nav a:hover,nav a:focus-visible{border-color:var(--accent);color:var(--accent)}
section{background:var(--paper);border:1px solid var(--line);border-radius:.8rem;
  padding:1.4rem 1.5rem 1.5rem;margin:1.25rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;
  margin:1.25rem 0 0;padding:0}
.cards div{background:var(--ground);border-radius:.6rem;padding:.7rem .9rem}
.cards dt{color:var(--muted);font-size:.82rem;overflow-wrap:anywhere}
.cards dd{margin:0;font-size:1.3rem;font-weight:650;line-height:1.3;
  font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.cards dd.word{font-size:.95rem;line-height:1.8}
.cards dd small{display:block;font-size:.78rem;font-weight:400;color:var(--muted)}
.note{background:var(--soft);border-left:4px solid var(--accent);border-radius:.35rem;
  padding:.6rem .9rem;margin:.9rem 0;max-width:none}
.note.warn{background:var(--warn);border-color:var(--second)}
.scroll{overflow-x:auto;margin:.9rem 0 .25rem;border:1px solid var(--line);border-radius:.5rem}
.scroll:focus-visible{outline:2px solid var(--accent)}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:.85rem;padding:.5rem .75rem;border-bottom:1px solid var(--line)}
th,td{padding:.42rem .75rem;text-align:left;vertical-align:middle;white-space:nowrap}
th{font-weight:600}
tbody th:not(.num){white-space:normal;min-width:6rem}
thead th{color:var(--muted);font-size:.82rem;border-bottom:1px solid var(--line)}
tbody tr+tr>*{border-top:1px solid var(--line)}
tbody tr:hover>*{background:var(--ground)}
.num{text-align:right}
td.wrap{white-space:normal;min-width:14rem;overflow-wrap:anywhere}
tr.ours>*{background:var(--soft)}
.badge{display:inline-block;background:var(--accent);color:var(--paper);border-radius:99px;
  font-size:.72rem;font-weight:600;padding:.05rem .55rem;margin-left:.5rem;vertical-align:.08em}
.bar{display:inline-block;width:4.2rem;height:.5rem;border-radius:99px;background:var(--line);
  margin-right:.55rem;vertical-align:middle;overflow:hidden}
.bar i{display:block;height:100%;background:var(--accent);border-radius:99px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));
  gap:1.25rem;margin-top:1rem;align-items:start}
.figures.one{max-width:38rem}
figure{margin:0;min-width:0;max-width:38rem}
figure img{display:block;width:100%;height:auto;border-radius:.4rem}
figcaption{font-size:.85rem;line-height:1.45;margin-top:.35rem}
dl.terms{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));
  gap:.75rem 2rem;margin:.75rem 0 0}
dl.terms dt{font-weight:650}
dl.terms dd{margin:0}
details>summary{cursor:pointer;color:var(--accent);margin:.75rem 0 .25rem}
code{font:0.88em/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;
  overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--ground);border-radius:.5rem;padding:.7rem .9rem;
  margin:.75rem 0}
ul{margin:.5rem 0;padding-left:1.25rem}
li{margin:.25rem 0}
footer{color:var(--muted);font-size:.88rem;padding-top:.5rem;padding-bottom:2.5rem}
@media (max-width:40rem){main,header>div,footer{padding-left:.8rem;padding-right:.8rem}
  section{padding:1.1rem .95rem;border-radius:.6rem}th,td{padding:.4rem .55rem}}
@media print{body{background:none}
  section{break-inside:avoid-page;border:0;padding:0}nav{display:none}}
"""
)
