"""Every public name has a numpydoc docstring that is complete; setup.cfg lists the checks."""

import configparser
import inspect
from importlib import import_module
from pathlib import Path

import pytest

validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is in the extra 'test'")

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "sklearn_medsel.datasets",
    "sklearn_medsel.feature_selection",
    "sklearn_medsel.forecasting",
    "sklearn_medsel.image",
    "sklearn_medsel.inspection",
    "sklearn_medsel.multimodal",
    "sklearn_medsel.persistence",
    "sklearn_medsel.survival",
    "sklearn_medsel.text",
)


def _public_objects():
    """Yield "module.name" of public names and of their public methods written in this package."""
    for package in PACKAGES:
        for name in import_module(package).__all__:
            path = f"{package}.{name}"
            yield path
            thing = getattr(import_module(package), name)
            if inspect.isclass(thing):
                for member, value in vars(thing).items():
                    if not member.startswith("_") and _is_written_here(value):
                        yield f"{path}.{member}"


def _is_written_here(value):
    function = getattr(value, "__func__", value)
    function = getattr(function, "fget", function)
    return (
        inspect.isfunction(function)
        and function.__module__.startswith("sklearn_medsel")
        and function.__name__ != "<lambda>"
    )


def _checks():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["tool:numpydoc_validation"]["checks"].split(",")
    return validate.get_validation_checks({check.strip() for check in listed})


@pytest.mark.parametrize("path", sorted(set(_public_objects())))
def test_docstring_is_complete(path):
    thing = _find(path)
    checks = _checks()
    if path.count(".") > 2 or _is_result(thing):
        checks -= {"EX01"}  # the example stands with the class, or with the function that makes it
    if _is_result(thing):
        checks -= {"PR01"}  # fields are attributes; nobody else calls the constructor
    errors = validate.validate(path)["errors"]
    found = [f"{code} {message}" for code, message in errors if code in checks]
    assert not found, f"{path}: " + "; ".join(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_api_page_lists_every_public_name(package):
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed = set(page.split())
    missing = [name for name in import_module(package).__all__ if name not in listed]
    assert not missing, f"docs/api.rst lacks {missing} of {package}"


def _find(path):
    module, name = path.rsplit(".", 1)
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError:
        module, owner = module.rsplit(".", 1)
        return getattr(getattr(import_module(module), owner), name)


def _is_result(thing):
    """Tell whether this is a class whose objects users get and do not make."""
    return inspect.isclass(thing) and (
        issubclass(thing, (tuple, Exception)) or thing.__name__ == "PrognosticCheck"
    )
