"""Coherence and entailment attention over the sentences of a report, for several members at once.

After Ma, Gao, Joty and Wong, "Sentence-Level Evidence Embedding for Claim Verification with
Hierarchical Attention Networks", ACL 2019 (P19-1244): sentences attend to each other (coherence),
then each is weighed against a claim (entailment). Widths and gates are ours. The members' axis
comes first, so that one matrix product serves all members.
"""

import torch
from torch import nn
from torch.nn.functional import gelu, layer_norm

from .layers import SeededDropout

_ABSENT = -1e4  # as a logit: no attention to padding, and no NaN in a report without sentences


class ReportAttentionNets(nn.Module):
    """Networks from sentence vectors to one logit per output.

    Parameters
    ----------
    n_members : int
        Number of networks M; each has its own weights and the same input.
    n_inputs : int
        Length d of a sentence vector.
    n_outputs : int, default=1
        Number K of outputs, each with a claim of its own.
    width : int, default=32
        Length of the hidden vectors.
    dropout : float, default=0.3
        Dropout rate.
    claims : {"learned", "given"}, default="learned"
        Whether a claim is a weight of the network or comes with the input, as a sentence's vector.
    seed : int, default=0
        Seed of the dropout.
    """

    def __init__(
        self, n_members, n_inputs, n_outputs=1, *, width=32, dropout=0.3, claims="learned", seed=0
    ):
        super().__init__()
        self.n_members, self.n_outputs, self.width = n_members, n_outputs, width
        self.dropout = SeededDropout(dropout, seed)
        self.enter = MemberLinear(n_members, n_inputs, width)
        self.scale = nn.Parameter(torch.ones(n_members, 1, width))
        self.shift = nn.Parameter(torch.zeros(n_members, 1, width))
        self.relate = MemberLinear(n_members, width, width, bias=False)
        self.gate = MemberLinear(n_members, 2 * width, width)
        self.entail = MemberLinear(n_members, 4 * width, width)
        self.attend = MemberLinear(n_members, width, 1, bias=False)
        self.judge = MemberLinear(n_members, 4 * width, width)
        self.decide = MemberLinear(n_members, width, 1)
        self.claim = None
        if claims == "learned":
            self.claim = nn.Parameter(0.1 * torch.randn(n_members, n_outputs, width))

    def forward(self, sentences, present, claims=None):
        """Weigh the sentences of n reports with at most L sentences.

        Parameters
        ----------
        sentences : Tensor of shape (n, L, d)
            Sentence vectors, padded with anything.
        present : bool Tensor of shape (n, L)
            False for padding.
        claims : Tensor of shape (n, K, d), default=None
            Vectors of the claims, where these are given.

        Returns
        -------
        logits : Tensor of shape (M, n, K)
        attention : Tensor of shape (M, n, L, K)
            Sums to one over the sentences that are present.
        """
        n, length = present.shape
        hidden = self._cohere(self._enter(sentences.flatten(0, 1)), present)
        if self.claim is None:
            claim = self._enter(claims.flatten(0, 1)).unflatten(1, (n, self.n_outputs))
        else:
            claim = self.claim[:, None].expand(-1, n, -1, -1)
        # every sentence beside every claim: (M, n, L, K, width)
        shape = (self.n_members, n, length, self.n_outputs, self.width)
        pairs = _beside(claim[:, :, None].expand(shape), hidden[:, :, :, None].expand(shape))
        entailed = torch.tanh(self.entail(self.dropout(pairs.flatten(1, 3))))
        energy = self.attend(entailed).view(shape[:-1])
        attention = energy.masked_fill(~present[:, :, None], _ABSENT).softmax(2)
        evidence = torch.einsum("mnlk,mnlw->mnkw", attention, hidden)
        verdict = gelu(self.judge(self.dropout(_beside(claim, evidence).flatten(1, 2))))
        logits = self.decide(self.dropout(verdict)).view(self.n_members, n, self.n_outputs)
        return logits, attention

    def _enter(self, vectors):
        """Bring vectors (N, d) to the hidden width: (M, N, width)."""
        entered = self.enter(self.dropout(vectors.expand(self.n_members, *vectors.shape)))
        return gelu(layer_norm(entered, (self.width,)) * self.scale + self.shift)

    def _cohere(self, hidden, present):
        """Let each sentence take in what the others say: (M, n, L, width)."""
        n, length = present.shape
        shape = (self.n_members * n, length, self.width)
        alone = hidden.view(shape)
        energy = torch.bmm(self.relate(hidden).view(shape), alone.mT) / self.width**0.5
        hidden_from = ~present.expand(self.n_members, n, length).reshape(-1, 1, length)
        context = torch.bmm(energy.masked_fill(hidden_from, _ABSENT).softmax(-1), alone)
        context = context.view_as(hidden)
        gate = torch.sigmoid(self.gate(torch.cat([hidden, context], -1)))
        return (gate * hidden + (1 - gate) * context).unflatten(1, (n, length))


class MemberLinear(nn.Module):
    """A linear layer of each member, as one batched product.

    Parameters
    ----------
    n_members, n_inputs, n_outputs : int
        Number of members, and the layer's sizes.
    bias : bool, default=True
        Whether a bias is added.
    """

    def __init__(self, n_members, n_inputs, n_outputs, *, bias=True):
        super().__init__()
        weight = torch.randn(n_members, n_inputs, n_outputs) * max(1, n_inputs) ** -0.5
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(n_members, 1, n_outputs)) if bias else None

    def forward(self, values):
        """Map values (M, N, n_inputs) to (M, N, n_outputs)."""
        if self.bias is None:
            return torch.bmm(values, self.weight)
        return torch.baddbmm(self.bias, values, self.weight)


def _beside(claim, sentence):
    """Entailment features [c; h; c * h; |c - h|] along the last axis."""
    return torch.cat([claim, sentence, claim * sentence, (claim - sentence).abs()], -1)
