"""Networks of all patients and of those without each fold, and the columns that they give."""

import numpy as np

from sklearn_medsel.image._components import columns, components, pool, scores, take_images, turn


class CrossFit:
    """Train a network on patients, and anew without each fold.

    Parameters
    ----------
    network : ImageNetwork
    images : ndarray of shape (n_images, size, size), float32
        Standardised.
    counts : ndarray of shape (n_patients,), int
        Images of each patient.
    outcome : Outcome
    pooling : {"mean", "max"}
    n_scores : int
        Scores that `describe` gives.
    step : callable
        Called after each epoch; returns True to stop.
    training : dict
        Epochs, learning rate and batch size, as `ImageNetwork.train` takes them.
    """

    def __init__(self, network, images, counts, outcome, *, pooling, n_scores, step, training):
        self.network, self.images, self.counts = network, images, counts
        self.outcome, self.pooling, self.n_scores = outcome, pooling, n_scores
        self.clock, self.training = _Clock(step), training

    def fit(self, pairs, n_components):
        """Train all networks.

        Parameters
        ----------
        pairs : list of (train, test)
            Positions of patients with an image.
        n_components : int or None

        Returns
        -------
        weights : dict of str to ndarray
            Of the network of all patients.
        mean, rotation : ndarray
            From what it says to columns; see `turn`.
        features : ndarray of shape (n_patients, n_columns)
            Columns of the patients in test parts, by networks that did not see them; else 0.
        """
        present, n_scores = self.counts > 0, self.n_scores
        weights = self._train(np.flatnonzero(present))
        described = self._pooled(weights)
        frame = self._frame(n_components)
        learnt = described[present], n_scores, None if frame is None else frame[present]
        mean, rotation = turn(*learnt)
        unit = 1.0
        if frame is not None:  # the first component gets a standard deviation of 1
            first = columns(described[present], mean, rotation)[:, n_scores]
            unit = float(first.std()) or 1.0
            mean, rotation = turn(*learnt, unit)
        n_columns = described.shape[1] if frame is None else rotation.shape[1]
        features = np.zeros((len(self.counts), n_columns))
        for train, test in pairs:
            if len(test):
                own = self._pooled(self._train(train))
                known = None if frame is None else frame[train]
                features[test] = columns(own[test], *turn(own[train], n_scores, known, unit))
        return weights, mean, rotation, features

    def _train(self, rows):
        """Train a network on the images of some patients; each patient has the same weight."""
        chosen, patients = take_images(self.images, self.counts, rows)
        target, task = self.outcome.values[patients], self.outcome.task
        if task == "survival":
            target = target[:, ::-1].copy()  # the loss takes the time first
        weight = 1 / self.counts[patients]
        return self.network.train(
            chosen, target, weight, task, on_epoch=self.clock.start(), **self.training
        )

    def _pooled(self, weights):
        """Scores and features of each patient."""
        described = describe(self.network, weights, self.images, self.outcome.task)
        return pool(described, self.counts, self.pooling)

    def _frame(self, n_components):
        """Components of the patients in the eyes of the untrained network: labels are not in it."""
        if n_components is None:
            return None
        features = self._pooled(None)[:, self.n_scores :]
        mean, rotation = components(features[self.counts > 0], n_components)
        return (features - mean) @ rotation


def describe(network, weights, images, task):
    """Scores and features of each standardised image, side by side."""
    outputs, features = network.describe(weights, images)
    return np.column_stack([scores(outputs, task), features])


class _Clock:
    """Counts epochs for the callbacks; where one stops the first network, all stop there."""

    def __init__(self, step):
        self.step, self.stopped = step, False
        self.last = None  # epoch at which networks stop
        self.n_started = 0

    def start(self):
        """Begin with a network; give what is to be called after each of its epochs."""
        self.n_started += 1
        first, n_done = self.n_started == 1, 0

        def on_epoch():
            nonlocal n_done
            n_done += 1
            if not self.stopped and self.step():
                self.stopped = True  # after that, callbacks must not be told any more
                self.last = n_done if first else self.last
            return self.last is not None and n_done >= self.last

        return on_epoch
