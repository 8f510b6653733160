"""Decide what a saved file may ask skops to do, before skops sees it.

skops asks for every type whether it is trusted. That leaves doors which this module shuts: a
trusted name may be *called* where only an attribute was meant, some nodes build something else
than the type they name, and some trusted types accept states that read outside their memory.
So only the kinds of node below pass, and only with the types that belong to them.
"""

import json
import re

from sklearn_medsel._persistence_archive import METADATA, SCHEMA, check_array

# Protocols below hold older, laxer readers that a file could choose for itself.
_OLDEST_PROTOCOL = 2
_MAX_DEPTH = 150
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")

_NUMPY_NUMBERS = {
    f"numpy.{kind}{bits}"
    for kind, sizes in {
        "int": (8, 16, 32, 64),
        "uint": (8, 16, 32, 64),
        "float": (16, 32, 64),
    }.items()
    for bits in sizes
}
# numpy.void makes as many bytes as the file says, numpy.object_ takes anything.
_NUMPY_SCALARS = _NUMPY_NUMBERS | {
    "numpy.bool",
    "numpy.bytes_",
    "numpy.complex64",
    "numpy.complex128",
    "numpy.datetime64",
    "numpy.str_",
    "numpy.timedelta64",
}
# bool("false") is True, so a dict with bool keys would come back as another one.
_KEY_TYPES = {"builtins.str", "builtins.int", "builtins.float", "numpy.str_"} | _NUMPY_NUMBERS

# Kinds of node that build their own types, whatever the caller trusts ...
_FIXED_TYPES = {
    "DictNode": {"builtins.dict", "collections.OrderedDict"},
    "ListNode": {"builtins.list"},
    "SetNode": {"builtins.set"},
    "SliceNode": {"builtins.slice"},
    "JsonNode": {"builtins.str"},
    "NdArrayNode": {"numpy.ndarray", *_NUMPY_SCALARS},
    "MaskedArrayNode": {"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"},
    "DTypeNode": {"numpy.dtype"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
}
_LOSS_MODULES = {"sklearn._loss._loss", "sklearn.linear_model._sgd_fast"}
# ... and those whose types are for skops and the caller to trust by name. Methods, partials,
# operators, bytes, sparse matrices and calls of a constructor are left out on purpose.
_NAMED_TYPES = {"ObjectNode", "TupleNode", "FunctionNode", "TypeNode", "TreeNode", "LossNode"}


def read_json(members, name):
    """Parse a JSON member that must be an object."""
    try:
        parsed = json.loads(members[name])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} cannot be read ({type(error).__name__}).") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{name} does not hold what save writes.")
    return parsed


def check_schema(members):
    """Check the structure of a saved estimator.

    Parameters
    ----------
    members : dict of str to bytes
        As `read_members` returns them.

    Returns
    -------
    members : dict of str to bytes
        The same, with each object written once in the schema, and no array that is not used.
    never : set of str
        Types in nodes that are never loaded, whatever the caller trusts; empty if all is well.

    Raises
    ------
    ValueError
        If the schema is not one that save writes.
    """
    schema = read_json(members, SCHEMA)
    protocol = schema.get("protocol")
    if type(protocol) is not int or protocol < _OLDEST_PROTOCOL:
        raise ValueError(f"the file claims skops protocol {str(protocol)[:20]!r}; it was edited.")
    walk = _Walk(members)
    try:
        walk.visit(schema, 0)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{SCHEMA} does not have the structure that save writes "
            f"({type(error).__name__}: {str(error)[:80]})."
        ) from error
    checked = {name: members[name] for name in walk.files}
    return checked | {SCHEMA: json.dumps(schema), METADATA: members[METADATA]}, walk.never


class _Walk:
    """One pass over the nodes of a schema, in the order in which skops takes them.

    skops takes a node with a known number for the first one of that number, whatever it says.
    So does this: later ones shrink to a reference, and each check looks up the first.
    """

    def __init__(self, members):
        self.members = members
        self.first = {}
        self.open = set()
        self.files = set()
        self.never = set()

    def visit(self, node, depth):
        """Check a node and all below it; return it, or a reference to its first copy."""
        identity = node["__id__"]
        if type(identity) is not int:
            raise ValueError("an object has no number.")
        if identity in self.open:
            raise ValueError("an object contains itself.")
        if depth > _MAX_DEPTH:
            raise ValueError(f"objects lie more than {_MAX_DEPTH} levels deep in one another.")
        if identity in self.first:
            return _reference(self.first[identity])
        self.first[identity] = node
        if self.is_never(node):
            self.never.add(_type_name(node))
            return node
        self.open.add(identity)
        for holder, key in _children(node):
            holder[key] = self.visit(holder[key], depth + 1)
        self.open.remove(identity)
        # Afterwards, because a number may be defined further down.
        if check := getattr(self, f"check_{node['__loader__']}", None):
            check(node)
        return node

    def is_never(self, node):
        loader = node["__loader__"]
        if loader == "LossNode":  # built by a call
            return node["__module__"] not in _LOSS_MODULES
        if loader in _NAMED_TYPES:
            _type_name(node)
            return False
        return _type_name(node) not in _FIXED_TYPES.get(loader, ())

    def check_DictNode(self, node):
        """Allow plain types for keys: keys are made by *calling* their type."""
        key_types = self.first[node["key_types"]["__id__"]]
        if key_types["__loader__"] != "ListNode":
            raise ValueError("the types of a dict's keys are not written as a list.")
        for item in key_types["content"]:
            key_type = self.first[item["__id__"]]
            if key_type["__loader__"] != "TypeNode" or _type_name(key_type) not in _KEY_TYPES:
                raise ValueError(
                    f"a dict has keys of type {_type_name(key_type)[:80]!r}; only text and "
                    "numbers can be saved as keys."
                )

    def check_ObjectNode(self, node):
        """Refuse a caching folder: joblib would unpickle from it at the next fit."""
        if node.get("content") is None:
            return
        state = self.first[node["content"]["__id__"]]
        if state["__loader__"] != "DictNode" or "memory" not in state["content"]:
            return
        memory = self.first[state["content"]["memory"]["__id__"]]
        if memory["__loader__"] == "JsonNode" and '"' in memory["content"]:
            raise ValueError(
                f"{_type_name(node)} has memory= set to a folder. joblib unpickles what lies "
                "there, so it is not part of a saved file: call set_params(memory=None) before "
                "saving."
            )

    def check_NdArrayNode(self, node):
        """Match an array with its file."""
        if node["type"] == "json":
            return
        name = node["file"]
        if node["type"] != "numpy" or name != f"{node['__id__']}.npy":
            raise ValueError("an array is stored in a way that save never uses.")
        if name not in self.members:
            raise ValueError(f"the array {name} is missing from the file.")
        check_array(name, self.members[name])
        self.files.add(name)

    def check_RandomStateNode(self, node):
        """Check the position in a random state: numpy reads wherever it points."""
        outer = self.first[node["content"]["__id__"]]["content"]
        inner = self.first[outer["state"]["__id__"]]["content"]
        position = json.loads(self.first[inner["pos"]["__id__"]]["content"])
        if type(position) is not int or not 0 <= position <= 624:
            raise ValueError("a RandomState has a position outside of its state.")

    def check_JsonNode(self, node):
        """Expect text."""
        if not isinstance(node["content"], str):
            raise ValueError("a plain value is not written as text.")


def _children(node):
    """Return where the children of a node are, as pairs of a container and its key or index."""
    loader, content = node["__loader__"], node.get("content")
    if loader == "DictNode":
        return [(node, "key_types"), *((content, key) for key in dict.keys(content))]
    if loader in ("ListNode", "SetNode", "TupleNode"):
        return _items(content)
    if loader == "ObjectNode":
        return [] if content is None else [(node, "content")]
    if loader == "NdArrayNode":
        return [*_items(content), (node, "shape")] if node["type"] == "json" else []
    if loader in ("TreeNode", "LossNode"):
        return [(node, "content"), (node["__reduce__"], "args")]
    if loader == "MaskedArrayNode":
        return [(content, "data"), (content, "mask")]
    if loader in ("RandomStateNode", "DTypeNode"):
        return [(node, "content")]
    return []


def _items(content):
    if not isinstance(content, list):
        raise ValueError("a sequence is not written as a list.")
    return [(content, index) for index in range(len(content))]


def _reference(first):
    # skops looks no further than the number; the content makes sure that nothing else does
    keys = ("__class__", "__module__", "__loader__", "__id__")
    return {key: first[key] for key in keys} | {"content": 0}


def _type_name(node):
    module, name = node["__module__"], node["__class__"]
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("an object has no type.")
    if node["__loader__"] == "MethodNode":
        name = f"{name}.{node['content']['func']}"
    return f"{module}.{name}"


def check_trusted(trusted):
    """Return the names that the caller trusts as a tuple; raise if they are none."""
    if isinstance(trusted, (str, bytes)) or not isinstance(trusted, (list, tuple, set, frozenset)):
        raise TypeError(
            'trusted must be a list of dotted type names, such as ["my_package.MyScaler"]; '
            f"found {trusted!r}."
        )
    for name in trusted:
        if not isinstance(name, str):
            raise TypeError(f"trusted must hold names (str), found {name!r}.")
        if not _DOTTED.fullmatch(name):
            raise ValueError(f"trusted must hold full dotted names, found {name!r}.")
    return tuple(trusted)
