"""The Python in the README runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("code", BLOCKS)
def test_readme_example_runs(code):
    exec(compile(code, str(README), "exec"), {})


def test_readme_has_an_example():
    assert BLOCKS
