"""The network behind the predictors: selection layer, dense part, linear skip."""

import torch
from torch import nn

from .layers import SeededDropout, SelectionLayer


class SelectorNet(nn.Module):
    """Selection layer in front of a dense ReLU network, with a linear skip beside it.

    The output is ``skip(g * x) + dense(g * x)`` with one weight ``g`` per input. The skip
    starts at zero and the first dense weights near zero, so that at the start no noise of
    the many inputs reaches the output.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    n_outputs : int
        Number of outputs.
    hidden_layer_sizes : tuple of int, default=(16,)
        Widths of the hidden layers; empty for a purely linear network.
    dropout : float, default=0.0
        Dropout rate behind each hidden layer.
    first_scale : float, default=0.01
        Standard deviation of the first dense weights at the start.
    """

    def __init__(
        self, n_features, n_outputs, hidden_layer_sizes=(16,), *, dropout=0.0, first_scale=0.01
    ):
        super().__init__()
        # inputs have variance one: divided by this, a row has length one whatever n_features
        self.input_scale = n_features**-0.5
        self.select = SelectionLayer(n_features)
        self.skip = nn.Linear(n_features, n_outputs)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)
        layers, width = [], n_features
        for size in hidden_layer_sizes:
            layer = nn.Linear(width, size)
            nn.init.normal_(layer.weight, std=(2 / width) ** 0.5 if layers else first_scale)
            nn.init.zeros_(layer.bias)
            seed = torch.randint(2**31 - 1, ()).item()
            layers += [layer, nn.ReLU(), SeededDropout(dropout, seed)]
            width = size
        self.dense = nn.Sequential(*layers)
        if layers:
            self.dense.append(nn.Linear(width, n_outputs, bias=False))
            nn.init.normal_(self.dense[-1].weight, std=width**-0.5)

    def forward(self, X):
        """Give the outputs (n, n_outputs) for ``X`` (n, n_features)."""
        gated = self.select(X * self.input_scale)
        output = self.skip(gated)
        return output + self.dense(gated) if len(self.dense) else output

    def effective_weights(self, X, *, centre_outputs=False):
        """Effect of each input on the outputs through the whole network.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows at which the slopes are taken.
        centre_outputs : bool, default=False
            Measure each output against the mean of the outputs, as logits should be.

        Returns
        -------
        mean : Tensor of shape (n_outputs, n_features)
            Slope of each output, averaged over the rows: a signed effect.
        size : Tensor of shape (n_features,)
            Root of the slopes' mean square over the rows, summed over the outputs.
        """
        gate = self.select.weight.detach() * self.input_scale
        inputs = (X * gate).requires_grad_(True)
        linear = self.skip.weight.detach()
        if not len(self.dense):
            slopes = [linear_k.expand_as(inputs) for linear_k in linear]
        else:
            output = self.dense(inputs)
            slopes = [
                torch.autograd.grad(output[:, k].sum(), inputs, retain_graph=True)[0] + linear[k]
                for k in range(output.shape[1])
            ]
        if centre_outputs:
            centre = sum(slopes) / len(slopes)
            slopes = [slope - centre for slope in slopes]
        mean = torch.stack([slope.mean(0) for slope in slopes]) * gate
        square = sum(slope.square().mean(0) for slope in slopes)
        return mean, square.sqrt() * gate.abs()
