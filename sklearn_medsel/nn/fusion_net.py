"""Several blocks of inputs fused by one network, for several members at once.

Each block is weighed by a selection layer, encoded (with a linear path beside the hidden layer),
and the encodings are fused by gates that a missing block does not take part in. Products of the
encodings of two blocks are the interaction head. The members' axis comes first, so that one matrix
product serves all members.
"""

from itertools import combinations

import torch
from torch import nn

from .layers import SeededDropout
from .report_attention import MemberLinear

_ABSENT = -1e4  # as a logit: a gate that is shut


class FusionNets(nn.Module):
    """Networks from blocks of features to one score per output.

    Parameters
    ----------
    n_members : int
        Number of networks M; each has its own weights.
    sizes : list of int
        Number of features of each of the B blocks.
    n_outputs : int, default=1
        Number K of scores.
    hidden : int, default=16
        Width of the hidden layer of each block's encoder.
    width : int, default=8
        Length of a block's encoding.
    n_interactions : int, default=4
        Products per pair of blocks in the interaction head; 0 leaves it out.
    dropout : float, default=0.3
        Dropout rate of inputs and hidden layers.
    block_dropout : float, default=0.2
        How often a block is hidden from a row while training, so that the network learns to do
        without it. At least one block stays.
    protected : int or None, default=None
        Block that is never hidden.
    seed : int, default=0
        Seed of what is dropped.
    """

    def __init__(
        self,
        n_members,
        sizes,
        n_outputs=1,
        *,
        hidden=16,
        width=8,
        n_interactions=4,
        dropout=0.3,
        block_dropout=0.2,
        protected=None,
        seed=0,
    ):
        super().__init__()
        self.n_members, self.sizes, self.n_outputs = n_members, list(sizes), n_outputs
        self.block_dropout, self.n_interactions = block_dropout, n_interactions
        self.protected = protected
        self.dropout = SeededDropout(dropout, seed)
        self.generator = torch.Generator().manual_seed(seed + 1)
        self.select = GroupSelection(n_members, sizes)
        self.encode = nn.ModuleList([BlockEncoder(n_members, p, hidden, width) for p in sizes])
        self.gate = nn.ModuleList([MemberLinear(n_members, width, 1) for _ in sizes])
        self.decide = MemberLinear(n_members, width, n_outputs)
        self.pairs = list(combinations(range(len(sizes)), 2)) if n_interactions else []
        if self.pairs:
            inputs = [MemberLinear(n_members, width, n_interactions, bias=False) for _ in sizes]
            self.enter = nn.ModuleList(inputs)
            n_products = len(self.pairs) * n_interactions
            self.interact = MemberLinear(n_members, n_products, n_outputs, bias=False)
            with torch.no_grad():
                self.interact.weight.mul_(0.1)  # main effects are learnt first

    def forward(self, rows):
        """Score n rows.

        Parameters
        ----------
        rows : Tensor of shape (n, p + B + K)
            Features of all blocks side by side (zero where missing), then 1 or 0 for each block
            that is there or missing, then the scores to start from.

        Returns
        -------
        Tensor of shape (M, n, K)
            Scores, the given ones included.
        """
        features, present, offset = self._part(rows)
        selected = self.select(self.dropout(features.expand(self.n_members, *features.shape)))
        blocks = selected.split(self.sizes, -1)
        encoded = [
            encode(block, self.dropout) * present[..., b : b + 1]
            for b, (encode, block) in enumerate(zip(self.encode, blocks, strict=True))
        ]
        gates = torch.cat([g(torch.tanh(e)) for g, e in zip(self.gate, encoded, strict=True)], -1)
        gates = gates.masked_fill(present < 0.5, _ABSENT).softmax(-1)
        # a lone block speaks as loud as it does among others
        scale = present.sum(-1, keepdim=True).clamp_min(1).sqrt()
        fused = scale * sum(gates[..., b : b + 1] * e for b, e in enumerate(encoded))
        score = self.decide(fused) * (present.sum(-1, keepdim=True) > 0)
        if self.pairs:
            heads = [torch.tanh(enter(e)) for enter, e in zip(self.enter, encoded, strict=True)]
            products = torch.cat([heads[a] * heads[b] for a, b in self.pairs], -1)
            score = score + self.interact(products)
        return score + offset

    def _part(self, rows):
        """Part rows into features (n, p), present blocks (M, n, B) and offset (n, K)."""
        features, present, offset = rows.split(
            [sum(self.sizes), len(self.sizes), self.n_outputs], -1
        )
        present = present.expand(self.n_members, *present.shape)
        if self.training and self.block_dropout and len(self.sizes) > 1:
            drawn = torch.rand(present.shape, generator=self.generator)
            kept = present * (drawn.to(present) > self.block_dropout)
            if self.protected is not None:
                kept[..., self.protected] = present[..., self.protected]
            present = torch.where(kept.sum(-1, keepdim=True) > 0, kept, present)
        return features, present, offset


class GroupSelection(nn.Module):
    """One weight per feature and member, drawn to zero feature by feature and block by block.

    Parameters
    ----------
    n_members : int
    sizes : list of int
        Number of features of each block.
    """

    def __init__(self, n_members, sizes):
        super().__init__()
        self.sizes = list(sizes)
        self.weight = nn.Parameter(torch.ones(n_members, 1, sum(sizes)))
        self.register_buffer("kept", torch.ones(n_members, 1, sum(sizes)))

    def keep(self, kept):
        """Let each member see some features (M, p) only."""
        self.kept.copy_(kept[:, None])

    def forward(self, features):
        """Weigh features (M, n, p)."""
        return features * (self.weight * self.kept)

    @torch.no_grad()
    def shrink(self, amount):
        """Proximal step of the sparse group lasso: half of `amount` per feature, half per block.

        Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", J Comput Graph Stat
        2013;22:231, equation 3.3.
        """
        soft = nn.functional.softshrink(self.weight, amount / 2)
        blocks = []
        for block in soft.split(self.sizes, -1):
            norm = block.norm(dim=-1, keepdim=True)
            least = amount / 2 * block.shape[-1] ** 0.5
            blocks.append(block * (1 - least / norm.clamp_min(1e-12)).clamp_min(0))
        self.weight.copy_(torch.cat(blocks, -1))


class BlockEncoder(nn.Module):
    """Encode one block: a hidden layer, and a linear path beside it."""

    def __init__(self, n_members, n_inputs, hidden, width):
        super().__init__()
        self.enter = MemberLinear(n_members, n_inputs, hidden)
        self.leave = MemberLinear(n_members, hidden, width, bias=False)
        self.skip = MemberLinear(n_members, n_inputs, width, bias=False)
        with torch.no_grad():
            self.skip.weight.mul_(0.3)

    def forward(self, block, dropout):
        """Encode features (M, n, p) as (M, n, width)."""
        hidden = dropout(torch.relu(self.enter(block)))
        return self.leave(hidden) + self.skip(block)
