"""A sentence encoder with a head that pools its sentences to reports, for fine-tuning."""

import torch
from torch import nn
from torch.nn.functional import linear, softplus

_LEAK = 1e-6  # keeps the log finite where no sentence says anything
_START = -2.0  # log-odds of a sentence: most say nothing important


class SentenceTuning(nn.Module):
    """Encoder, a linear function per output, and a noisy-or over the sentences of a report.

    Parameters
    ----------
    encode : torch.nn.Module
        From token numbers and their mask to sentence vectors (n_sentences, d).
    n_inputs : int
        Length d of a sentence vector.
    n_outputs : int
        Number of outputs.
    """

    def __init__(self, encode, n_inputs, n_outputs):
        super().__init__()
        self.encode = encode
        self.head = nn.Linear(n_inputs, n_outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, _START)

    def forward(self, ids, mask, owner):
        """Give the log-odds (n, n_outputs) of reports from their sentences' tokens.

        Parameters
        ----------
        ids, mask : integer Tensor of shape (n_sentences, n_tokens)
            Token numbers; 1 where there is a token.
        owner : integer Tensor of shape (n_sentences,)
            Report of each sentence, rising from 0 to n - 1 without gaps.
        """
        sentences = linear(self.encode(ids, mask), self.head.weight, self.head.bias)
        total = sentences.new_zeros(int(owner[-1]) + 1, sentences.shape[1])
        total = total.index_add(0, owner, softplus(sentences)) + _LEAK
        return total + torch.log(-torch.expm1(-total))
