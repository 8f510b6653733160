"""The colours of pages and of pictures that go with them, in light and in dark."""

LIGHT = {
    "paper": "#ffffff",
    "ground": "#f4f6f8",
    "ink": "#1b2530",
    "muted": "#566472",
    "line": "#dde3e9",
    "accent": "#0b7285",
    "second": "#d9480f",
    "soft": "#e3f2f4",
    "warn": "#fff4e6",
}
DARK = {
    "paper": "#161c24",
    "ground": "#0d1218",
    "ink": "#e4eaf0",
    "muted": "#9aa8b6",
    "line": "#2b3541",
    "accent": "#4cc9dc",
    "second": "#ff9f5a",
    "soft": "#12313a",
    "warn": "#35260f",
}
