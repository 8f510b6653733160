"""How sphinx builds the documentation; run it with ``make docs``."""

import os
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
# The gallery runs in its own folder; the real tables, if there are any, lie beside the repository.
os.environ.setdefault("MEDSEL_DATA", str(Path(__file__).parents[2] / "shared" / "data"))

import torch

import sklearn_medsel

# The gallery's examples are small: threads would only get in each other's way.
torch.set_num_threads(1)

project = "sklearn_medsel"
author = "sklearn_medsel developers"
copyright = f"2026, {author}"
version = release = sklearn_medsel.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "benchmarks", "auto_examples/*.ipynb", "auto_examples/*.md5"]
templates_path = ["_templates"]
default_role = "py:obj"  # `compare_selectors` in a docstring links to it where it is documented
nitpicky = False

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_medsel"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False

# One page per public name, made from its docstring.
autosummary_generate = True
autodoc_inherit_docstrings = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
    "show_signature": False,
    "matplotlib_animations": True,
    "doc_module": ("sklearn_medsel",),
    "reset_modules": ("matplotlib",),
}


def skip_foreign_method(app, what, name, member, skip, options):
    """Leave the methods that scikit-learn wrote to its own documentation."""
    function = getattr(member, "fget", member)
    return (getattr(function, "__module__", None) or "").startswith("sklearn.") or None


def setup(app):
    app.connect("autodoc-skip-member", skip_foreign_method)
