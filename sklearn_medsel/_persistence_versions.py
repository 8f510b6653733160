"""What a saved file says of the format and the versions it was written with."""

import importlib.metadata
import json
import re

from sklearn_medsel._persistence_archive import METADATA

# Raise it when older versions of the package could not read what save writes.
FORMAT = 1

_DISTRIBUTIONS = {
    "sklearn_medsel": "sklearn-medsel",
    "scikit-learn": "scikit-learn",
    "numpy": "numpy",
    "torch": "torch",
}
_VERSION = re.compile(r"[\w.+!-]{1,64}")


def write_metadata():
    """Return the metadata member of a file written now, as text."""
    return json.dumps({"format": FORMAT, "versions": _installed_versions()})


def _installed_versions():
    versions = {}
    for name, distribution in _DISTRIBUTIONS.items():
        try:
            versions[name] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:  # run from a source folder
            versions[name] = "unknown"
    return versions


def check_metadata(metadata):
    """Check the format of a file and compare versions.

    Parameters
    ----------
    metadata : dict
        As `write_metadata` wrote it, or anyone else.

    Returns
    -------
    str
        The packages whose minor version differs, in words; empty if none does.

    Raises
    ------
    ValueError
        If the format is newer than this one, or the metadata is not what save writes.
    """
    found = metadata.get("format")
    if type(found) is not int or found < 1:
        raise ValueError(f"{METADATA} gives no valid format version.")
    if found > FORMAT:
        raise ValueError(
            f"the file has format {found}; this version of sklearn_medsel reads up to {FORMAT}. "
            "Update sklearn-medsel to load it."
        )
    saved = metadata.get("versions")
    if not isinstance(saved, dict):
        raise ValueError(f"{METADATA} gives no versions.")
    differences = []
    for name, here in _installed_versions().items():
        there = saved.get(name)
        if not isinstance(there, str) or not _VERSION.fullmatch(there):
            raise ValueError(f"{METADATA} gives no valid version of {name}.")
        if _minor(there) != _minor(here) and "unknown" not in (here, there):
            differences.append(f"{name} {there} (here {here})")
    return ", ".join(differences)


def _minor(version):
    return re.findall(r"\d+", version)[:2]
