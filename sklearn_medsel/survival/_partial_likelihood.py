"""Partial likelihood of a linear predictor, for solvers of penalised and fused Cox models."""

import numpy as np


class PartialLikelihood:
    """Breslow partial likelihood of a sample as a function of its linear predictor.

    Parameters
    ----------
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    time : ndarray of shape (n_samples,), float64
        Follow-up.
    """

    def __init__(self, event, time):
        self.order = np.argsort(time, kind="stable")
        self.event = event[self.order].astype(np.float64)
        sorted_time = time[self.order]
        # First and one past the last position with the same time, for each position.
        self.first = np.searchsorted(sorted_time, sorted_time, side="left")
        self.last = np.searchsorted(sorted_time, sorted_time, side="right") - 1

    def _at_risk(self, values):
        """Sum over those still at risk at each position's time."""
        return np.cumsum(values[::-1], axis=0)[::-1][self.first]

    def _parts(self, eta):
        eta = eta[self.order]
        shift = eta.max()
        weight = np.exp(eta - shift)
        return eta, shift, weight, self._at_risk(weight)

    def loss(self, eta):
        """Negative log partial likelihood."""
        return float(self.event_losses(eta).sum())

    def event_losses(self, eta):
        """Each sample's term of the loss; zero for those without an event."""
        eta, shift, _, at_risk = self._parts(eta)
        return self._unsort(-self.event * (eta - shift - np.log(at_risk)))

    def residuals(self, eta):
        """Minus the gradient of the loss (martingale residuals), and its diagonal curvature."""
        _, _, weight, at_risk = self._parts(eta)
        hazard = weight * np.cumsum(self.event / at_risk)[self.last]
        curvature = hazard - weight**2 * np.cumsum(self.event / at_risk**2)[self.last]
        return self._unsort(self.event - hazard), self._unsort(np.maximum(curvature, 0))

    def hessian(self, X, eta):
        """Second derivative of the loss in the coefficients of X, (n_features, n_features)."""
        _, _, weight, at_risk = self._parts(eta)
        X = X[self.order]
        hazard = weight * np.cumsum(self.event / at_risk)[self.last]
        is_event = self.event > 0
        means = (self._at_risk(weight[:, None] * X) / at_risk[:, None])[is_event]
        loud = np.sqrt(hazard)[:, None] * X  # a matrix times itself costs half of a product
        return loud.T @ loud - means.T @ means

    def _unsort(self, values):
        back = np.empty_like(values)
        back[self.order] = values
        return back
