"""What the displays share: axes, colours, gene names, and finding the estimator to show."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

# Okabe and Ito's colours, which colour-blind readers can tell apart, without the pale ones.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def new_axes(ax, display, figsize):
    """Return ``ax``, or the axes of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
    display : object
        The display that draws; its class is named if matplotlib is missing.
    figsize : tuple of float
        Width and height of a new figure, in inches.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib as mpl

        if ax is None:
            import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            f'{type(display).__name__} needs matplotlib: pip install "sklearn-medsel[plot]".'
        ) from error
    if ax is None:
        _, ax = mpl.pyplot.subplots(figsize=figsize, layout="constrained")
    return ax


def palette():
    """Return the colours of a style that the user chose, else colour-blind-safe ones."""
    import matplotlib as mpl

    chosen = mpl.rcParams["axes.prop_cycle"]
    if chosen == mpl.rcParamsDefault["axes.prop_cycle"]:
        return _COLOURS
    return tuple(chosen.by_key().get("color", _COLOURS))


def ink(ax, strength=1.0):
    """Return the text colour, faded towards the background: right on light and dark paper."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb, to_rgba

    paper = to_rgba(ax.get_facecolor())
    if paper[3] == 0:
        paper = to_rgba(ax.get_figure(root=True).get_facecolor())
    if paper[3] == 0:  # nothing but what lies under the figure; most often that is a white page
        paper = (1.0, 1.0, 1.0)
    text, paper = np.array(to_rgb(rcParams["text.color"])), np.array(paper[:3])
    return tuple(strength * text + (1 - strength) * paper)


def shorten(name, length=26):
    """Cut the middle out of a long name; ends of gene identifiers tell them apart."""
    name = " ".join(str(name).split())
    if len(name) <= length:
        return name
    head = (length - 1) * 3 // 5
    return f"{name[:head]}…{name[-(length - 1 - head) :]}"


def font_points(key):
    """Return a font size from matplotlib's settings, such as "ytick.labelsize", in points."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return FontProperties(size=rcParams[key]).get_size_in_points()


def name_rows(ax, names, size):
    """Put names at the rows 0, 1, ... of the y axis, the first at the top."""
    ax.set_yticks(np.arange(len(names)), [shorten(name) for name in names], fontsize=size)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)  # a name may hold a dollar sign
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def row_font_size(ax, n_rows):
    """Font size, in points, at which ``n_rows`` lines fit into the axes."""
    height = ax.get_window_extent().height * 72 / ax.get_figure(root=True).dpi
    return float(np.clip(0.72 * height / max(n_rows, 1), 4, font_points("ytick.labelsize")))


def find_step(estimator, *attributes):
    """Find what to show: the estimator itself, or the last step of a Pipeline that has it.

    Parameters
    ----------
    estimator : estimator
        Fitted; a Pipeline or a search (`GridSearchCV`) is looked into.
    *attributes : str
        Fitted attributes, of which the step must have one.

    Returns
    -------
    step : estimator
    before : Pipeline or None
        The steps before it, where there are any.

    Raises
    ------
    NotFittedError
        If ``estimator`` is not fitted.
    TypeError
        If no step has such an attribute.
    """
    check_is_fitted(estimator)
    inner = getattr(estimator, "best_estimator_", estimator)
    if isinstance(inner, Pipeline):
        for index in range(len(inner) - 1, -1, -1):
            step = inner[index]
            if any(hasattr(step, name) for name in attributes):
                return step, inner[:index] if index else None
    elif any(hasattr(inner, name) for name in attributes):
        return inner, None
    wanted = " or ".join(attributes)
    raise TypeError(f"estimator must have {wanted} after fit, but {type(inner).__name__} does not.")


def find_names(step, before, n_features, feature_names=None):
    """Names of the features that ``step`` saw, as an array of str.

    Parameters
    ----------
    step, before : estimator
        As `find_step` returns them.
    n_features : int
        How many names there must be.
    feature_names : array-like of str or None, default=None
        Names given by the user.

    Returns
    -------
    ndarray of shape (n_features,), object

    Raises
    ------
    ValueError
        If ``feature_names`` has another length.
    """
    if feature_names is not None:
        names = np.asarray(feature_names, dtype=object)
        if names.shape != (n_features,):
            raise ValueError(
                f"feature_names must hold one name for each of the {n_features} features, found "
                f"shape {names.shape}."
            )
        return names
    names = getattr(step, "feature_names_in_", None)
    if names is None and before is not None:
        try:
            names = before.get_feature_names_out()
        except (AttributeError, ValueError):  # a step that does not know its names
            names = None
    if names is None or len(names) != n_features:
        return np.array([f"x{i}" for i in range(n_features)], dtype=object)
    return np.asarray(names, dtype=object)


def check_count(value, name):
    """Raise unless ``value`` is a positive int."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an int of at least 1, found {value!r}.")
