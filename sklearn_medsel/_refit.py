"""A fit that fails leaves the estimator as it was."""

from contextlib import contextmanager


@contextmanager
def unchanged_if_it_fails(estimator):
    """Leave an estimator as it was found, fitted or not, if what is done to it fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
