"""Channels on a fine-tuned encoder: tuned anew without each fold, so that nothing leaks.

A tuned encoder has seen the labels of its training reports. Out-of-fold log-odds therefore need
an encoder that was tuned without the fold, and channels fitted on its vectors.
"""

from typing import NamedTuple

import numpy as np

from sklearn_medsel.text._channels import Channels
from sklearn_medsel.text._finetuning import TunedEncoder, finetune


class Tuning(NamedTuple):
    """What to tune, a named tuple.

    Attributes
    ----------
    source : str or Path
        The model.
    n_layers : int
        Layers to train.
    fingerprint : str
        Of the model as it is.
    """

    source: object
    n_layers: int
    fingerprint: str

    def encoder(self, weights, device):
        """Make the encoder with these weights in its top layers."""
        return TunedEncoder(self.source, self.n_layers, weights, self.fingerprint, device)


def fit_tuned(tuning, data, sentences, folds, channels, *, read, network, step):
    """Tune the encoder and fit the channels on it, out of fold and on all reports.

    Parameters
    ----------
    tuning : Tuning
    data : TrainingSet
        As read with the encoder before tuning.
    sentences : list of list of str
        Sentences of each report.
    folds : list of (ndarray, ndarray)
    channels : Channels
        To be fitted on all reports.
    read : callable
        ``read(encoder)`` gives bags and claims of the same reports with another encoder.
    network, step
        As `Channels.fit` takes them.

    Returns
    -------
    log_odds : ndarray of shape (n, n_outputs, n_channels)
        Out of fold; NaN without folds.
    weights : dict of str to ndarray
        Tuned layers.
    """

    def tune(rows):
        weights = finetune(
            tuning.source,
            tuning.n_layers,
            [sentences[row] for row in rows],
            data.target[rows],
            data.weight[rows],
            device=network["device"],
            seed=network["seed"],
            on_epoch=step,
        )
        bags, claims = read(tuning.encoder(weights, network["device"]))
        return weights, data._replace(bags=bags, claims=claims)

    log_odds = np.full((*data.target.shape, len(channels.names)), np.nan)
    for train, test in folds:
        _, tuned = tune(train)
        part = Channels(channels.mode, n_components=channels.n_components, n_members=1)
        part.fit(tuned.take(train), [], network=network, step=_silent)
        log_odds[test] = part.log_odds(tuned.bags.take(test), device=network["device"])
    weights, tuned = tune(np.arange(len(sentences)))
    channels.fit(tuned, [], network=network, step=step)
    return log_odds, weights


def _silent():
    return False
