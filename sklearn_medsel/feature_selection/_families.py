"""Outcome families of the path solver: what a linear predictor means for each task.

A family holds the target of all samples and answers, for many weighted copies ("replicates") of
the data at once, four questions: where does a model without features start, what is the gradient
of the loss, how strongly is the loss curved, and how good is a predictor. Tensors are
``(n_replicates, n_samples, n_outputs)``; sample weights are ``(n_replicates, n_samples)`` and sum
to one in each replicate, so that the loss is a weighted mean.
"""

import numpy as np
import torch

_TINY = 1e-12


class LogisticFamily:
    """Two classes, one output: the log-odds of the second class.

    Parameters
    ----------
    target : Tensor of shape (n_samples,)
        0.0 or 1.0.
    """

    n_outputs, redundant_outputs = 1, 0

    def __init__(self, target):
        self.target = target[None, :, None]

    def start(self, weight):
        """Best constant predictor, of shape (n_replicates, 1, 1)."""
        rate = (weight[:, :, None] * self.target).sum(1, keepdim=True)
        return torch.logit(rate.clamp(1e-6, 1 - 1e-6))

    def gradient(self, predictor, weight):
        """Gradient of the loss, in the shape of `predictor`."""
        return weight[:, :, None] * (torch.sigmoid(predictor) - self.target)

    def curvature(self, predictor, weight):
        """Bound on the loss's second derivative per unit of weight, of shape (n_replicates,)."""
        return torch.full_like(predictor[:, 0, 0], 0.25)

    def deviance(self, predictor, weight):
        """Weighted mean of the deviance, of shape (n_replicates,)."""
        loss = torch.nn.functional.softplus(predictor) - self.target * predictor
        return 2 * (weight[:, :, None] * loss).sum((1, 2))


class MultinomialFamily:
    """Three or more classes, one output each, through a softmax.

    Parameters
    ----------
    target : Tensor of shape (n_samples, n_classes)
        One column per class, 0.0 or 1.0.
    """

    redundant_outputs = 1

    def __init__(self, target):
        self.target = target[None]
        self.n_outputs = target.shape[1]

    def start(self, weight):
        """Best constant predictor, of shape (n_replicates, 1, n_classes)."""
        rate = (weight[:, :, None] * self.target).sum(1, keepdim=True)
        return rate.clamp_min(1e-6).log()

    def gradient(self, predictor, weight):
        """Gradient of the loss, in the shape of `predictor`."""
        return weight[:, :, None] * (torch.softmax(predictor, 2) - self.target)

    def curvature(self, predictor, weight):
        """Bound on the loss's second derivative per unit of weight (Böhning 1992)."""
        return torch.full_like(predictor[:, 0, 0], 0.5)

    def deviance(self, predictor, weight):
        """Weighted mean of the deviance, of shape (n_replicates,)."""
        log_probability = torch.log_softmax(predictor, 2)
        return -2 * (weight[:, :, None] * self.target * log_probability).sum((1, 2))


class SquaredFamily:
    """Numbers: one output per column of the target.

    Parameters
    ----------
    target : Tensor of shape (n_samples, n_outputs) or (n_replicates, n_samples, n_outputs)
        The values, on a scale near one; the second form has its own target for each replicate.
    """

    redundant_outputs = 0

    def __init__(self, target):
        self.target = target if target.ndim == 3 else target[None]
        self.n_outputs = self.target.shape[2]

    def start(self, weight):
        """Best constant predictor, of shape (n_replicates, 1, n_outputs)."""
        return (weight[:, :, None] * self.target).sum(1, keepdim=True)

    def gradient(self, predictor, weight):
        """Gradient of the loss, in the shape of `predictor`."""
        return weight[:, :, None] * (predictor - self.target)

    def curvature(self, predictor, weight):
        """Second derivative of the loss per unit of weight."""
        return torch.ones_like(predictor[:, 0, 0])

    def deviance(self, predictor, weight):
        """Weighted mean squared error, summed over the outputs, of shape (n_replicates,)."""
        return (weight[:, :, None] * (predictor - self.target) ** 2).sum((1, 2))


class CoxFamily:
    """Survival: one output, the log hazard ratio; Breslow's partial likelihood for tied times.

    Parameters
    ----------
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    time : ndarray of shape (n_samples,)
        Time of the event or of censoring.
    like : Tensor
        Gives dtype and device.
    """

    n_outputs, redundant_outputs = 1, 0

    def __init__(self, event, time, like):
        # longest time first, so that a risk set is a prefix and its sum a cumulative sum
        order = np.argsort(-np.asarray(time), kind="stable")
        descending = np.asarray(time)[order]
        last = np.searchsorted(-descending, -descending, side="right") - 1
        first = np.searchsorted(-descending, -descending, side="left")
        as_index = lambda values: torch.as_tensor(values.copy(), device=like.device)  # noqa: E731
        self._order, self._back = as_index(order), as_index(np.argsort(order))
        self._last, self._first = as_index(last), as_index(first)
        self._event = torch.as_tensor(np.asarray(event)[order]).to(like)

    def start(self, weight):
        """Zero: a constant drops out of the partial likelihood."""
        return weight.new_zeros(len(weight), 1, 1)

    def _hazard(self, predictor, weight):
        """Relative risks, event weights, risk-set sums and cumulative hazards, longest first."""
        weight = weight[:, self._order]
        # those without weight are not to tell even the size of a step
        risk = torch.exp(self._centred(predictor, weight).clamp_max(0)) * (weight > 0)
        at_risk = torch.cumsum(weight * risk, 1)[:, self._last].clamp_min(_TINY)
        events = weight * self._event
        increments = events / at_risk
        # the hazard at a time sums over events no later than it: a suffix of this order
        total = increments.sum(1, keepdim=True)
        before = torch.cumsum(increments, 1) - increments
        hazard = total - before[:, self._first]
        return risk, weight, events, at_risk, hazard

    def _centred(self, predictor, weight):
        """Scores less the largest one that has weight, longest time first."""
        score = predictor[:, self._order, 0]
        return score - score.masked_fill(weight <= 0, -torch.inf).amax(1, keepdim=True)

    def gradient(self, predictor, weight):
        """Gradient of the loss: weight times minus the martingale residual."""
        risk, weight, events, _, hazard = self._hazard(predictor, weight)
        gradient = weight * risk * hazard - events
        return gradient[:, self._back, None] / events.sum(1).clamp_min(_TINY)[:, None, None]

    def curvature(self, predictor, weight):
        """Largest diagonal entry of the Hessian per unit of weight, doubled for safety."""
        risk, _, events, _, hazard = self._hazard(predictor, weight)
        return 2 * (risk * hazard).amax(1) / events.sum(1).clamp_min(_TINY)

    def deviance(self, predictor, weight):
        """Minus twice the mean log partial likelihood per event, of shape (n_replicates,)."""
        _, weight, events, at_risk, _ = self._hazard(predictor, weight)
        gain = self._centred(predictor, weight) - at_risk.log()
        return -2 * (events * gain).sum(1) / events.sum(1).clamp_min(_TINY)
