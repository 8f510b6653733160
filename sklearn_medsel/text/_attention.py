"""The attention head: the study's network, trained as several members at once."""

import weakref

import numpy as np
import torch

from sklearn_medsel._training import PaddedReports, train_by_adam
from sklearn_medsel.base import one_thread, seeded, to_arrays, to_tensor, to_tensors
from sklearn_medsel.nn import ReportAttentionNets, binary_cross_entropy

_BATCH = (8, 64)  # fewest and most reports per training step
_STEPS_PER_EPOCH = 6  # at least: with few reports, whole passes would be too few steps
_BATCH_PREDICT = 256
_WEIGHT_DECAY = 1e-2
_SENTENCE_SHARE = 0.5  # of the loss, where sentences are labelled
_LONGEST = 64  # sentences: a longer report is cut for this head, which relates all to all


# Networks of heads in use: a head keeps arrays, and reports often come one by one.
_built: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class AttentionHead:
    """Coherence and entailment attention over sentence vectors.

    Parameters
    ----------
    width : int
        Length of the hidden vectors.
    dropout : float
        Dropout rate.
    max_epochs : int
        Passes over the reports.
    learning_rate : float
        Largest step size.

    Attributes
    ----------
    weights : dict of str to ndarray
        Weights of all members.
    shape : dict
        What builds the network again.
    claims : ndarray of shape (n_outputs, d) or None
        Claims that the user wrote, as vectors.
    """

    def __init__(self, *, width, dropout, max_epochs, learning_rate):
        self.width, self.dropout = width, dropout
        self.max_epochs, self.learning_rate = max_epochs, learning_rate

    def fit(self, vectors, bags, target, weight, *, claims, evidence, device, seed, on_epoch):
        """Train one member per row of ``weight``; return self.

        Parameters
        ----------
        vectors : ndarray of shape (n_sentences, d), float32
            Scaled sentence vectors.
        bags : Bags
            Whose sentences they are.
        target : ndarray of shape (n, n_outputs)
            Zero or one.
        weight : ndarray of shape (n_members, n, n_outputs)
            Weights of each member: zero for the reports it must not see.
        claims : ndarray of shape (n_outputs, d) or (n, 1, d), or None
            Claims of the outputs or of the rows; None to learn them.
        evidence : ndarray of shape (n_sentences, n_outputs) or None
            1 for sentences known to carry the finding.
        device : torch.device
        seed : int
        on_epoch : callable
            Called after each epoch; training stops if it returns True.
        """
        if claims is not None and claims.shape[-2] != target.shape[1]:
            raise ValueError(
                "X has a column 'claim', one claim for each row, which is for two classes: y must "
                f"not need {target.shape[1]} outputs. Drop the column, or use `claims`."
            )
        self.claims = claims if claims is not None and claims.ndim == 2 else None
        self.shape = {
            "n_members": len(weight),
            "n_inputs": vectors.shape[1],
            "n_outputs": target.shape[1],
            "width": self.width,
            "dropout": self.dropout,
            "claims": "learned" if claims is None else "given",
            "seed": seed,
        }
        with seeded(seed):
            module = ReportAttentionNets(**self.shape)
        module.to(device)
        rows = self._rows(vectors, bags, claims, target, weight, evidence, device)
        with one_thread():
            train_by_adam(
                module,
                _loss,
                rows,
                max_epochs=self.max_epochs,
                learning_rate=self.learning_rate,
                weight_decay=_WEIGHT_DECAY,
                batch_size=int(np.clip(len(bags) // _STEPS_PER_EPOCH, *_BATCH)),
                seed=seed,
                members=True,
                on_epoch=on_epoch,
            )
        self._keep(to_arrays(module))
        return self

    def members(self, chosen):
        """Return the head with some of its members."""
        head = AttentionHead(
            width=self.width,
            dropout=self.dropout,
            max_epochs=self.max_epochs,
            learning_rate=self.learning_rate,
        )
        head.claims = self.claims
        head.shape = self.shape | {"n_members": len(chosen)}
        head._keep({name: value[chosen] for name, value in self.weights.items()})
        return head

    def outputs(self, vectors, bags, claims=None, *, device="cpu"):
        """Give the log-odds and the attention of each member.

        Returns
        -------
        log_odds : ndarray of shape (n_members, n, n_outputs), float64
        attention : ndarray of shape (n_sentences, n_outputs), float64
            Mean over the members; sums to one over the sentences of a report.
        """
        module = self._module(device)
        claims = self.claims if claims is None else claims
        rows = self._rows(vectors, bags, claims, device=device)
        attention = np.zeros((len(vectors), self.shape["n_outputs"]))
        log_odds = np.zeros((self.shape["n_members"], len(bags), self.shape["n_outputs"]))
        order = torch.argsort(rows.sizes, stable=True)
        owner, place = bags.owner, bags.place
        with torch.inference_mode(), one_thread():
            for batch in order.split(_BATCH_PREDICT):
                logits, weights = module(**rows.inputs(batch))
                index = batch.cpu().numpy()
                log_odds[:, index] = logits.cpu().numpy()
                position = np.full(len(bags), -1)
                position[index] = np.arange(len(index))
                here = np.flatnonzero((position[owner] >= 0) & (place < weights.shape[2]))
                mean = weights.mean(0).cpu().numpy()
                attention[here] = mean[position[owner[here]], place[here]]
        return log_odds, attention

    def _module(self, device):
        """Build the network, or take the one that was built for the last call."""
        built_for, module = _built.get(self, (None, None))
        if built_for != str(device):
            with seeded(0):
                module = ReportAttentionNets(**self.shape)
            module.load_state_dict(to_tensors(self.weights))
            module.to(device).eval()
            _built[self] = str(device), module
        return module

    def _keep(self, weights):
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise ValueError(
                "training diverged: the network's weights are not finite. Use a smaller "
                "learning_rate."
            )
        self.weights = weights

    def _rows(self, vectors, bags, claims, target=None, weight=None, evidence=None, device="cpu"):
        """Pad the reports, and send what the network needs to the device."""
        n, n_outputs = len(bags), self.shape["n_outputs"]
        sizes = np.minimum(bags.sizes, _LONGEST)
        longest = max(1, int(sizes.max(initial=1)))
        owner, place = bags.owner, bags.place
        kept = place < longest
        padded = np.zeros((n, longest, vectors.shape[1]), np.float32)
        padded[owner[kept], place[kept]] = vectors[kept]
        target = np.zeros((n, n_outputs)) if target is None else target
        weight = np.ones((1, n, n_outputs)) if weight is None else weight
        carries = np.zeros((n, longest, n_outputs), np.float32)
        if evidence is not None:
            carries[owner[kept], place[kept]] = evidence[kept] == 1

        def send(array):
            return to_tensor(np.asarray(array), device, torch.float32)

        if claims is not None and claims.ndim == 2:
            claims = np.broadcast_to(claims, (n, *claims.shape))
        return PaddedReports(
            send(padded),
            to_tensor(sizes.astype(np.int64), device),
            (send(target), send(carries)),
            send(weight.swapaxes(0, 1)),
            None if claims is None else send(claims),
        )


def _loss(output, target, weight):
    """Cross entropy of the reports; where sentences are labelled, also of where to attend to."""
    logits, attention = output
    labels, carries = target
    carries = carries[:, : attention.shape[2]]  # a batch is cut to its longest report
    weight = weight.transpose(0, 1)
    loss = binary_cross_entropy(logits, labels, weight).sum()
    known = weight * (carries.sum(1) > 0)
    if known.any():
        attended = (attention * carries).sum(2).clamp_min(1e-6)
        # each member by what it knows itself: no member's step depends on another's weights
        share = known / known.sum((1, 2), keepdim=True).clamp_min(1e-12)
        loss = loss - _SENTENCE_SHARE * (share * attended.log()).sum()
    return loss
