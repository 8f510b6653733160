"""Weighted losses with one signature, for one network or for many at once.

``loss(output, target, weight)`` takes the outputs (..., n, n_outputs) of any number of
networks for the same n rows, their common target and the row weights (..., n), and gives
one value per network: sum(w * l) / sum(w).
"""

import torch


def cross_entropy(output, target, weight):
    """Weighted mean of the cross entropy.

    Parameters
    ----------
    output : Tensor of shape (..., n, n_classes)
        Logits.
    target : integer Tensor of shape (n,)
        Index of each row's class.
    weight : Tensor of shape (..., n)
        Row weights, not negative.

    Returns
    -------
    Tensor of shape (...)
        Loss of each network, in nats.
    """
    index = target[:, None].expand(*output.shape[:-1], 1)
    loss = -torch.log_softmax(output, -1).gather(-1, index)[..., 0]
    return (loss * weight).sum(-1) / weight.sum(-1)


def squared_error(output, target, weight):
    """Weighted mean squared error, averaged over the outputs.

    Parameters
    ----------
    output : Tensor of shape (..., n, n_outputs)
        Predictions.
    target : Tensor of shape (n, n_outputs)
        True values.
    weight : Tensor of shape (..., n)
        Row weights, not negative.

    Returns
    -------
    Tensor of shape (...)
        Loss of each network, in squared units of the target.
    """
    loss = (output - target).square().mean(-1)
    return (loss * weight).sum(-1) / weight.sum(-1)


def squared_distance(output, target, weight):
    """Weighted mean squared distance of forecasts from the truth, over rows and horizons.

    To give each horizon the same say, divide its weights by persistence's mean squared distance.

    Parameters
    ----------
    output : Tensor of shape (..., n, n_axes, n_horizons)
        Forecasts.
    target : Tensor of shape (n, n_axes, n_horizons)
        True values; finite, also where the weight is zero.
    weight : Tensor of shape (..., n, n_horizons)
        Weights, not negative; zero where the truth is unknown.

    Returns
    -------
    Tensor of shape (...)
        Loss of each network, in squared units of the target; zero where no row has a weight.
    """
    loss = (output - target).square().sum(-2) * weight
    floor = torch.finfo(weight.dtype).tiny
    return loss.sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(floor)


def cox_loss(output, target, weight, *, ties="efron"):
    """Negative log partial likelihood of Cox's model per event.

    Parameters
    ----------
    output : Tensor of shape (..., n, 1)
        Log hazard ratios.
    target : Tensor of shape (n, 2)
        Time in the first column; 1 for an event and 0 for censoring in the second.
    weight : Tensor of shape (..., n)
        Row weights, not negative. Rows of weight zero are in no risk set.
    ties : {"efron", "breslow"}, default="efron"
        How events at the same time share their risk set.

    Returns
    -------
    Tensor of shape (...)
        Loss of each network; zero where no event has a weight.

    References
    ----------
    B. Efron, "The efficiency of Cox's likelihood function for censored data", Journal of
    the American Statistical Association 72 (1977) 557-565.
    """
    # latest first: the risk set of a row is then a cumulative sum up to the last row of its time
    order = torch.argsort(target[:, 0], descending=True, stable=True)
    _, tie, size = torch.unique_consecutive(
        target[order, 0], return_inverse=True, return_counts=True
    )
    # index_select gives rows in memory order whatever the strides of its input, so that sums
    # over rows round alike for one network and for many
    risk, weight = output[..., 0].index_select(-1, order), weight.index_select(-1, order)
    event = target[order, 1] * (weight > 0)
    mass = event * weight

    floor = torch.finfo(weight.dtype).tiny
    log_hazard = risk + weight.clamp_min(floor).log()
    at_risk = torch.logcumsumexp(log_hazard, -1)
    at_risk = at_risk.index_select(-1, (size.cumsum(0) - 1)[tie])
    if ties == "efron":
        count = _sum_by(event, tie, size)
        # the k-th of d tied events (k = 0 ... d-1) leaves k/d of their hazard out
        earlier = event.cumsum(-1) - event
        earlier = earlier - earlier.index_select(-1, (size.cumsum(0) - size)[tie])
        share = event * earlier / count.clamp_min(1)
        tied = _sum_by(event * (log_hazard - at_risk).clamp_max(0).exp(), tie, size)
        at_risk = at_risk + torch.log1p(-share * tied.clamp_max(1))
        share_of_mass = event * _sum_by(mass, tie, size) / count.clamp_min(1)
    else:
        share_of_mass = mass
    loss = (share_of_mass * at_risk - mass * risk).sum(-1)
    return loss / mass.sum(-1).clamp_min(floor)


def binary_cross_entropy(output, target, weight):
    """Weighted mean of the binary cross entropy, over rows and outputs.

    Parameters
    ----------
    output : Tensor of shape (..., n, n_outputs)
        Log-odds.
    target : Tensor of shape (n, n_outputs)
        Zero or one.
    weight : Tensor of shape (..., n, n_outputs)
        Weights, not negative.

    Returns
    -------
    Tensor of shape (...)
        Loss of each network, in nats; zero where no row has a weight.
    """
    loss = (torch.nn.functional.softplus(output) - target * output) * weight
    floor = torch.finfo(weight.dtype).tiny
    return loss.sum((-2, -1)) / weight.sum((-2, -1)).clamp_min(floor)


def _sum_by(values, group, size):
    """Sum ``values`` (..., n) over the rows of each group; every row gets its group's sum."""
    total = values.new_zeros(*values.shape[:-1], len(size))
    return total.index_add(-1, group, values).index_select(-1, group)


LOSSES = {
    "classification": cross_entropy,
    "regression": squared_error,
    "survival": cox_loss,
}
