"""What the methods of `DeepFeatureSelector` share: the data they get and the results they give."""

from dataclasses import dataclass, field

import numpy as np

from ._decoys import RowBlocks
from ._outcome import Outcome
from ._pairs import PairScreen
from ._subset_size import SizeChoice
from ._table import Table


@dataclass
class Problem:
    """A checked selection problem.

    Attributes
    ----------
    table : Table
    outcome : Outcome
    weight : ndarray of shape (n_samples,)
        Sums to one; samples of weight zero are left out.
    blocks : RowBlocks or None
    seeds : list of int
        One per repeat.
    """

    table: Table
    outcome: Outcome
    weight: np.ndarray
    blocks: RowBlocks | None
    seeds: list


@dataclass
class Selection:
    """Results of a method, before the number of features is decided.

    Attributes
    ----------
    importance : ndarray of shape (n_features,)
    effects : ndarray of shape (n_features, n_outputs)
    pvalues : ndarray of shape (n_features,)
    repeats : ndarray of shape (n_repeats, n_features)
        Importances in each repeat; from their best few come the selection frequencies.
    decoy_repeats : ndarray of shape (n_repeats, n_decoys)
        The same for decoys that competed.
    decoy_importances : ndarray of shape (n_all_decoys,)
        Statistics of all decoys, on the scale of the features' own in the test.
    fractions, history : ndarray
        The path, see `_path_method.Ranking`; empty for a method without.
    screen : PairScreen or None
    nonlinear_used : bool
    n_iter : int
    ranked_by : str
        What `importance` is: the name of a ranking.
    choice : SizeChoice or None
        How many features were found to be enough, where that was asked for.
    notes : list of str
    """

    importance: np.ndarray
    effects: np.ndarray
    pvalues: np.ndarray
    repeats: np.ndarray
    decoy_repeats: np.ndarray
    decoy_importances: np.ndarray
    fractions: np.ndarray = field(default_factory=lambda: np.empty(0))
    history: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 1)))
    screen: PairScreen | None = None
    nonlinear_used: bool = False
    n_iter: int = 0
    ranked_by: str = "path"
    choice: SizeChoice | None = None
    notes: list = field(default_factory=list)


def best_of_each(repeats, decoy_repeats, n_best):
    """Which features and decoys are among the best `n_best` of each repeat.

    Returns
    -------
    chosen : ndarray of shape (n_repeats, n_features), bool
    chosen_decoys : ndarray of shape (n_repeats, n_decoys), bool
    """
    everything = np.concatenate([repeats, decoy_repeats], axis=1)
    n_best = min(n_best, everything.shape[1])
    bound = -np.partition(-everything, n_best - 1, axis=1)[:, n_best - 1 : n_best]
    chosen = (everything >= bound) & (everything > 0)
    return chosen[:, : repeats.shape[1]], chosen[:, repeats.shape[1] :]
