"""Many small selector networks trained at once on the same X.

Trained one by one, a network with few hidden units leaves a processor waiting: its matrix
products are thin and the table is read again for each. Here the selection weights are
folded into the first layer and the first layers of all networks form one tall matrix, so a
step is two products for all of them: ``(g * W) X'`` forward and ``D X`` backward. Only the
small heads behind the first layer go through autograd.

The numbers of a network depend on its seed and row weights alone, not on which or how many
networks are trained beside it. Three habits make this hold bit for bit: sums over rows and columns
are cut into pieces of one length (a BLAS chooses its blocking by the shape of the product);
rows, columns and layers are padded with zeros, so that no vectorised loop has a remainder and
each network's values start where a vector may; and the networks' axis comes first, so that
every reduction runs within one network. The caller sees to one thread.
"""

import itertools

import torch
from torch.nn.functional import pad, softshrink

_PIECE = 512
_MULTIPLE = 32
_WIDTH_MULTIPLE = 8
_FIRST_SCALE = 0.01
_MOMENTUM = 0.9


class RepeatedNets:
    """R networks ``dense(g * x)``, each with its own seed, on one table.

    Parameters
    ----------
    n_features, n_outputs : int
        Number of inputs and of outputs of each network.
    hidden_layer_sizes : tuple of int
        Widths of the hidden layers, at least one.
    seeds : list of int
        One seed per network.
    device : torch.device or str, default="cpu"
        Where to train.
    dtype : torch.dtype, default=torch.float32
        In which precision to train.
    """

    def __init__(
        self, n_features, n_outputs, hidden_layer_sizes, seeds, *, device="cpu", dtype=torch.float32
    ):
        self.n_nets, self.n_features = len(seeds), n_features
        self.device, self.dtype = device, dtype
        self._n_padding = -n_features % _MULTIPLE
        sizes = [*hidden_layer_sizes, n_outputs]
        drawn = [_draw(n_features, sizes, seed) for seed in seeds]

        stacked = (torch.stack(weights) for weights in zip(*drawn, strict=True))
        first, *deeper = (weights.to(device, dtype) for weights in stacked)
        # a unit without weights before and behind it stays so in training
        spare = [-size % _WIDTH_MULTIPLE for size in hidden_layer_sizes] + [0]
        sizes = [size + more for size, more in zip(sizes, spare, strict=True)]
        self.first = pad(first, (0, self._n_padding, 0, spare[0]))
        deeper = [
            pad(weight, (0, before, 0, behind))
            for weight, (before, behind) in zip(deeper, itertools.pairwise(spare), strict=True)
        ]
        self.gate = torch.ones_like(self.first[:, :1])
        self.deeper = [weight.requires_grad_() for weight in deeper]
        self.bias = [
            torch.zeros(self.n_nets, size, 1, device=device, dtype=dtype, requires_grad=True)
            for size in sizes
        ]

    def train(self, X, target, weight, loss, *, max_epochs, learning_rate, gate_rate, alpha):
        """Train all networks by full-batch gradient descent with Nesterov momentum.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Standardised table.
        target : Tensor
            As ``loss`` takes it.
        weight : Tensor of shape (n_nets, n)
            Row weights of each network.
        loss : callable
            One of `losses.LOSSES`.
        max_epochs : int
            Number of steps.
        learning_rate : float
            Step size of the dense weights.
        gate_rate : float
            How many times larger the selection weights' step size is.
        alpha : float
            L1 penalty on the selection weights.

        Returns
        -------
        Tensor of shape (n_nets,)
            Loss of each network before the last step.
        """
        n_padding = -len(X) % _MULTIPLE
        X = self._prepare(X)
        columns = X.T.contiguous()
        weight = pad(weight, (0, n_padding))
        target = torch.cat([target, target.new_zeros(n_padding, *target.shape[1:])])
        gate_step = learning_rate * gate_rate
        descents = [_Descent([self.gate], gate_step), _Descent([self.first], learning_rate)]
        descents.append(_Descent([*self.deeper, *self.bias], learning_rate))
        # kept over the steps: fresh memory of this size costs as much as a product
        folded, gradient = torch.empty_like(self.first), torch.empty_like(self.first)
        for _ in range(max_epochs):
            hidden = self._first_layer(columns, folded).requires_grad_(True)
            losses = loss(self._head(hidden).transpose(1, 2), target, weight)
            slopes = torch.autograd.grad(losses.sum(), [hidden, *self.deeper, *self.bias])
            first, gate = self._first_gradients(slopes[0], X, gradient, folded)
            for descent, step in zip(descents, ([gate], [first], slopes[1:]), strict=True):
                descent.step(step)
            if alpha:
                self.gate.copy_(softshrink(self.gate, gate_step * alpha))
        return losses.detach()

    def outputs(self, X):
        """Give the outputs (n_nets, n, n_outputs) for ``X`` (n, n_features)."""
        with torch.no_grad():
            columns = self._prepare(X).T.contiguous()
            hidden = self._first_layer(columns, torch.empty_like(self.first))
            return self._head(hidden).transpose(1, 2)[:, : len(X)]

    def gates(self):
        """Give the weights (n_nets, n_features) of the selection layers."""
        return self.gate[:, 0, : self.n_features]

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
        mean : Tensor of shape (n_nets, n_outputs, n_features)
            Slope of each output, averaged over the rows: a signed effect.
        size : Tensor of shape (n_nets, n_features)
            Root of the slopes' mean square over the rows, summed over the outputs.
        """
        columns = self._prepare(X).T.contiguous()
        hidden = self._first_layer(columns, torch.empty_like(self.first)).requires_grad_(True)
        output = self._head(hidden)[..., : len(X)]  # rows of the padding get no slope
        slopes = [
            torch.autograd.grad(output[:, k].sum(), hidden, retain_graph=True)[0]
            for k in range(output.shape[1])
        ]
        if centre_outputs:
            centre = sum(slopes) / len(slopes)
            slopes = [slope - centre for slope in slopes]
        totals = (slope.sum(-1, keepdim=True) for slope in slopes)
        mean = torch.stack([(total / len(X) * self.first).sum(1) for total in totals], 1)
        # mean_i (s_i' w)^2 = w' (S S' / n) w, without a table of slopes per network
        square = sum(
            (torch.bmm(torch.bmm(s, s.transpose(1, 2)) / len(X), self.first) * self.first).sum(1)
            for s in slopes
        )
        gate = self.gate[:, 0] * self.n_features**-0.5
        mean, size = mean * gate[:, None], square.clamp_min(0).sqrt() * gate.abs()
        return mean[..., : self.n_features], size[..., : self.n_features]

    def _prepare(self, X):
        """Scale rows of standardised values to length one and pad both axes with zeros."""
        X = X.to(self.device, self.dtype) * self.n_features**-0.5
        return pad(X, (0, self._n_padding, 0, -len(X) % _MULTIPLE))

    def _first_layer(self, columns, folded):
        """First pre-activations (n_nets, width, n), without their bias."""
        torch.mul(self.first, self.gate, out=folded)
        hidden = _product(folded.flatten(0, 1), columns)
        return hidden.view(*self.first.shape[:2], -1)

    def _first_gradients(self, slope, X, gradient, buffer):
        """Gradients of the first layer and of the selection weights."""
        _product(slope.flatten(0, 1), X, out=gradient.flatten(0, 1))
        torch.mul(gradient, self.first, out=buffer)
        return gradient.mul_(self.gate), buffer.sum(1, keepdim=True)

    def _head(self, hidden):
        """Give the outputs (n_nets, n_outputs, n) behind the first layer."""
        hidden = hidden + self.bias[0]
        for weight, bias in zip(self.deeper, self.bias[1:], strict=True):
            hidden = _dense(weight, torch.relu(hidden)) + bias
        return hidden


class _Descent:
    """Gradient descent with Nesterov momentum, as `torch.optim.SGD` has it.

    The first optimizer of a process makes torch import its compiler, which takes longer than
    many a fit does here.
    """

    def __init__(self, parameters, learning_rate):
        self.parameters, self.learning_rate = parameters, learning_rate
        self.velocities = [torch.zeros_like(parameter) for parameter in parameters]

    @torch.no_grad()
    def step(self, gradients):
        """Move the parameters; ``gradients`` are overwritten."""
        for parameter, velocity, gradient in zip(
            self.parameters, self.velocities, gradients, strict=True
        ):
            velocity.mul_(_MOMENTUM).add_(gradient)
            parameter.sub_(gradient.add_(velocity, alpha=_MOMENTUM), alpha=self.learning_rate)


def _draw(n_features, sizes, seed):
    """Draw the weights of one network: first layer, further layers, output layer."""
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(sizes[0], n_features, generator=generator) * _FIRST_SCALE]
    for width, size in itertools.pairwise(sizes):
        gain = 1 if len(weights) == len(sizes) - 1 else 2
        weight = torch.randn(size, width, generator=generator) * (gain / width) ** 0.5
        weights.append(weight)
    return weights


def _dense(weight, hidden):
    """Product of weights (n_nets, a, b) and hidden values (n_nets, b, n)."""
    if 1 in weight.shape[1:]:
        # as a matrix product this is a vector's for one network, with a kernel of its own
        return (weight[..., None] * hidden[:, None]).sum(2)
    return torch.bmm(weight, hidden)


def _product(left, right, *, out=None):
    """Matrix product whose inner sum is always cut into the same pieces."""
    result = torch.mm(left[:, :_PIECE], right[:_PIECE], out=out)
    for start in range(_PIECE, left.shape[1], _PIECE):
        result.addmm_(left[:, start : start + _PIECE], right[start : start + _PIECE])
    return result
