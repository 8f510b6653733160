"""The parts of the classifier fitted together: each gives log-odds, and a stack combines them.

The log-odds that the stack learns from are out of fold: every part is fitted again without a fold
and asked about it. Attention members that must not see a fold are trained beside the others, with
zero weights for its reports.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from sklearn_medsel.text._attention import AttentionHead
from sklearn_medsel.text._bags import Bags
from sklearn_medsel.text._evidence import EvidenceHead, pool_log_odds
from sklearn_medsel.text._lexical import LexicalChannel
from sklearn_medsel.text._stacking import Stack, out_of_fold_log_odds
from sklearn_medsel.text._terms import Vocabulary
from sklearn_medsel.text._vectors import SentenceFeatures

MODES = {
    "hybrid": ("attention", "evidence", "lexical"),
    "attention": ("attention",),
    "evidence": ("evidence",),
    "lexical": ("lexical",),
}
"""Channels of each mode."""


class TrainingSet(NamedTuple):
    """What the channels learn from, a named tuple.

    Attributes
    ----------
    bags : Bags
        Reports with at least one sentence each.
    target, weight : ndarray of shape (n, n_outputs)
        Zero or one; balanced weights.
    sentence_target : ndarray of shape (n_sentences, n_outputs) or None
        Labels of sentences, NaN where unknown.
    claims : ndarray of shape (n_outputs, d) or None
        Claims that the user wrote, as encoded.
    """

    bags: Bags
    target: np.ndarray
    weight: np.ndarray
    sentence_target: np.ndarray | None = None
    claims: np.ndarray | None = None

    def take(self, rows):
        """Return some of the reports, rows in rising order."""
        labels = self.sentence_target
        if labels is not None:
            labels = labels[np.isin(self.bags.owner, rows)]
        return TrainingSet(
            self.bags.take(rows), self.target[rows], self.weight[rows], labels, self.claims
        )


def needs_vectors(mode):
    """Tell whether a mode works on sentence vectors."""
    return mode != "lexical"


class Channels:
    """Fitted channels and what they share.

    Parameters
    ----------
    mode : str
        One of `MODES`.
    n_components : int
        Of `SentenceFeatures`.
    n_members : int
        Attention networks that are kept and averaged.

    Attributes
    ----------
    vocabulary : Vocabulary
        Terms of at least two training reports.
    features : SentenceFeatures or None
    lexical : LexicalChannel or None
    evidence : EvidenceHead or None
    attention : AttentionHead or None
    stack : Stack
    """

    def __init__(self, mode, *, n_components, n_members):
        self.mode, self.n_components, self.n_members = mode, n_components, n_members
        self.features = self.lexical = self.evidence = self.attention = None

    @property
    def names(self):
        """Channels, in the order of the last axis of their log-odds."""
        return MODES[self.mode]

    def fit(self, data, folds, *, network, step):
        """Fit all channels, and out of fold for the stack.

        Parameters
        ----------
        data : TrainingSet
        folds : list of (ndarray, ndarray)
            May be empty.
        network : dict
            ``width``, ``dropout``, ``max_epochs``, ``learning_rate``, ``device``, ``seed``.
        step : callable
            Called after each unit of work; returns True if training should stop.

        Returns
        -------
        ndarray of shape (n, n_outputs, n_channels)
            Log-odds out of fold; NaN without folds.
        """
        bags = data.bags
        self.vocabulary = Vocabulary(bags.terms + bags.extra_terms, _owners(bags))
        if needs_vectors(self.mode):
            self.features = SentenceFeatures(self.n_components).fit(bags)
        view = self._view(bags)
        parts = {
            "attention": lambda: self._fit_attention(view, data, folds, network, step),
            "evidence": lambda: self._fit_evidence(view, data, folds, step),
            "lexical": lambda: self._fit_lexical(view, data, folds, step),
        }
        return np.stack([parts[name]() for name in self.names], 2)

    def stack_up(self, held_out, target, weight, folds):
        """Fit the stack on out-of-fold log-odds; give its own, out of fold, (n, n_outputs)."""
        if not folds:
            self.stack = Stack().equal(target.shape[1], len(self.names))
            return np.full(target.shape, np.nan)
        self.stack = Stack().fit(held_out, target, weight)
        return out_of_fold_log_odds(held_out, target, weight, folds)

    def log_odds(self, bags, *, device="cpu"):
        """Give the log-odds of each channel, (n, n_outputs, n_channels)."""
        view = self._view(bags)
        parts = [getattr(self, f"_ask_{name}")(view, device) for name in self.names]
        return np.stack(parts, 2)

    def combined(self, bags, *, device="cpu"):
        """Give the stacked log-odds, (n, n_outputs)."""
        return self.stack.combine(self.log_odds(bags, device=device))

    def sentence_log_odds(self, bags):
        """Give what each sentence says by itself, (n_sentences, n_outputs)."""
        view = self._view(bags)
        if self.evidence is not None:
            return self.evidence.sentence_log_odds(view.counts, view.vectors)
        return self.lexical.log_odds(view.counts)

    def sentence_attention(self, bags, *, device="cpu"):
        """Give the attention of each sentence, (n_sentences, n_outputs)."""
        view = self._view(bags)
        return self.attention.outputs(view.vectors, bags, view.claims, device=device)[1]

    def _view(self, bags):
        counts = self.vocabulary.count(bags.terms)
        extra = self.vocabulary.count(bags.extra_terms)
        vectors, claims = np.zeros((len(bags.sentences), 0), np.float32), None
        if self.features is not None:
            vectors = self.features.transform(bags)
            if bags.claims is not None:
                claims = self.features.claims(bags.claims, vectors.shape[1])
        return _View(bags, counts, extra, vectors, claims)

    def _fit_lexical(self, view, data, folds, step):
        counts, target, weight = view.report_counts(), data.target, data.weight
        held_out = np.full(target.shape, np.nan)
        for train, test in folds:
            part = LexicalChannel().fit(counts[train], target[train], weight[train])
            held_out[test] = part.log_odds(counts[test])
        self.lexical = LexicalChannel().fit(counts, target, weight)
        step()
        return held_out

    def _ask_lexical(self, view, device):
        return self.lexical.log_odds(view.report_counts())

    def _fit_evidence(self, view, data, folds, step):
        owner, sizes = view.bags.owner, view.bags.sizes

        def fit(rows):
            inside = np.isin(owner, rows)
            labels = None if data.sentence_target is None else data.sentence_target[inside]
            return EvidenceHead().fit(
                view.counts[inside],
                view.vectors[inside],
                sizes[rows],
                data.target[rows],
                data.weight[rows],
                labels,
            )

        held_out = np.full(data.target.shape, np.nan)
        for train, test in folds:
            inside = np.isin(owner, test)
            part = fit(train).sentence_log_odds(view.counts[inside], view.vectors[inside])
            held_out[test] = pool_log_odds(part, sizes[test])
            step()
        self.evidence = fit(np.arange(len(sizes)))
        step()
        return held_out

    def _ask_evidence(self, view, device):
        sentences = self.evidence.sentence_log_odds(view.counts, view.vectors)
        return pool_log_odds(sentences, view.bags.sizes)

    def _fit_attention(self, view, data, folds, network, step):
        members = np.repeat(data.weight[None], self.n_members + len(folds), axis=0)
        for fold, (_, test) in enumerate(folds):
            members[self.n_members + fold, test] = 0
        settings = dict(network)
        device, seed = settings.pop("device"), settings.pop("seed")
        claims = view.claims
        if data.claims is not None:
            claims = self.features.claims(data.claims, view.vectors.shape[1])
        head = AttentionHead(**settings).fit(
            view.vectors,
            view.bags,
            data.target,
            members,
            claims=claims,
            evidence=data.sentence_target,
            device=device,
            seed=seed,
            on_epoch=step,
        )
        held_out = np.full(data.target.shape, np.nan)
        if folds:
            log_odds, _ = head.outputs(view.vectors, view.bags, view.claims, device=device)
            for fold, (_, test) in enumerate(folds):
                held_out[test] = log_odds[self.n_members + fold, test]
        self.attention = head.members(np.arange(self.n_members))
        return held_out

    def _ask_attention(self, view, device):
        log_odds, _ = self.attention.outputs(view.vectors, view.bags, view.claims, device=device)
        return log_odds.mean(0)


class _View:
    """A bag in the numbers that the channels take."""

    def __init__(self, bags, counts, extra, vectors, claims):
        self.bags, self.counts, self.extra = bags, counts, extra
        self.vectors, self.claims = vectors, claims

    def report_counts(self):
        """Counts of terms of whole reports, (n, n_terms)."""
        n_reports, n_sentences = len(self.bags), len(self.bags.sentences)
        ends = np.concatenate([[0], np.cumsum(self.bags.sizes)])
        belongs = sparse.csr_array(
            (np.ones(n_sentences), np.arange(n_sentences), ends), shape=(n_reports, n_sentences)
        )
        return sparse.csr_array(belongs @ self.counts + self.extra)


def _owners(bags):
    return np.concatenate([bags.owner, np.arange(len(bags))])
