"""ReportAttentionClassifier: which reports are important, and which sentence says so."""

from numbers import Integral, Real

import numpy as np
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from sklearn_medsel._groups import joint_groups
from sklearn_medsel.base import draw_seeds, progress, resolve_device
from sklearn_medsel.text._channels import MODES, Channels, TrainingSet, needs_vectors
from sklearn_medsel.text._claims import encode_claims
from sklearn_medsel.text._encoders import resolve_encoder
from sklearn_medsel.text._explanations import ReportExplanations
from sklearn_medsel.text._finetuning import EPOCHS, tunable_source
from sklearn_medsel.text._reading import (
    Reader,
    choose_encoder,
    in_steps,
    kept_fingerprint,
    same_encoder,
)
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._sentence_labels import check_sentence_y, sentence_targets
from sklearn_medsel.text._stacking import make_folds, probabilities
from sklearn_medsel.text._targets import (
    balanced_weight,
    check_classes_left,
    class_weights,
    encode_target,
)
from sklearn_medsel.text._thresholds import check_enough_positives, choose_thresholds
from sklearn_medsel.text._tuned_fit import Tuning, fit_tuned

_LEAST_PRIOR = 1e-6
_REPORTS_SEEN = 16_000  # at most, over the epochs of the attention networks
_READING_STEPS = 10


class ReportAttentionClassifier(
    ReportExplanations, ClassifierMixin, CallbackSupportMixin, BaseEstimator
):
    """Classify reports by their sentences, and show the sentence that matters.

    A report is split into sentences; each gets a vector and terms that know whether they are
    denied. Three channels read them:

    - *attention*, as in the source study: sentences attend to each other (coherence), are weighed
      against a claim per class (entailment), and their weighted sum is classified [1]_;
    - *evidence*: each sentence gets log-odds of its own, and a report is important if any of its
      sentences is (noisy-or);
    - *lexical*: TF-IDF and logistic regression on the whole report.

    ``mode="hybrid"`` combines their out-of-fold log-odds by a logistic regression, so that a
    channel counts as much as it helps on reports it has not seen. The others are for comparison.

    Parameters
    ----------
    encoder : str, path or object, default="auto"
        What turns sentences into vectors. ``"auto"``: the best that is installed for the script of
        the reports. ``"minilm"``, ``"use"`` (extra ``text``) and ``"hashing"`` name one; any other
        string is the name or folder of a Hugging Face model that is on this machine. An object
        has ``encode(list of str)`` and gives an array (n, d).
    mode : {"hybrid", "attention", "evidence", "lexical"}, default="hybrid"
        See above.
    splitter : "auto", "lines" or callable, default="auto"
        ``"auto"``: `split_sentences`. ``"lines"``: each line is a sentence. A callable gets a
        report and returns its sentences in order, as str or as pairs (start, end).
    claims : str, list of str, dict or None, default=None
        Texts that the attention holds the sentences against: one for two classes (that of the
        second class), else one per class, as a list or as ``{class: text}``. None: learned. A
        claim for each row comes in a column ``claim`` of `X` instead.
    n_members : int, default=3
        Attention networks, trained together and averaged.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the probabilities. The channels are always balanced inside;
        None gives probabilities that agree with the frequencies in `y`.
    threshold : "f1" or float, default="f1"
        Probability from which the second class, or a label of several, is predicted. ``"f1"``:
        the one with the largest expected F1, which misses fewer positives than 0.5 does; not below
        the frequency of positives. Not used with more than two classes.
    recall_target : float or None, default=None
        Recall to be reached on reports to come, such as 0.95. Sets `threshold_`, whatever
        `threshold` says, by out-of-fold scores and an exact binomial bound. For two classes, and
        per label for several labels.
    recall_confidence : float, default=0.9
        Probability that this promise holds.
    finetune_layers : int, default=0
        Top layers of a Hugging Face encoder to train on the reports. Each fold has to be trained
        by itself, so this takes minutes.
    cache : None, False, path or SentenceCache, default=None
        Where vectors of sentences are kept, over folds and grid points. None: in the memory of
        the process. A folder keeps them for other processes and days. False: nowhere.
    cv : int, default=5
        Folds for the out-of-fold scores.
    n_components : int, default=64
        Principal components of the sentence vectors that are used.
    hidden_size : int, default=32
        Width of the attention networks.
    dropout : float, default=0.3
        Dropout rate of the attention networks.
    max_epochs : int, default=25
        Passes of their training over the reports; fewer where reports are many.
    learning_rate : float, default=4e-3
        Their largest step size.
    device : str, default="auto"
        ``"auto"``: CUDA if there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Folds, start weights, order of the reports, dropout.
    verbose : int, default=0
        Unused; progress is shown by scikit-learn's callbacks, ``set_callbacks(ProgressBar())``.

    Attributes
    ----------
    classes_ : ndarray
        Labels; the names of the columns if there are several labels per report.
    threshold_ : float or ndarray of shape (n_labels,)
        Probability from which the second class, or the label, is predicted.
    expected_flag_rate_ : float or ndarray of shape (n_outputs,)
        Share of reports to come that will be predicted positive, by out-of-fold scores; NaN where
        there were too few reports for folds.
    n_folds_ : int
        Folds that were made; 0 if a class has a single report, and the channels count alike then.
    channel_weights_ : dict of str to ndarray of shape (n_outputs,)
        Weight of each channel's log-odds, not negative.
    encoder_name_ : str
        The encoder that was used; ``"none"`` for ``mode="lexical"``.
    n_vocabulary_ : int
        Number of terms.
    prior_ : ndarray of shape (n_outputs,)
        Frequency of the labels: the prediction for a report without a sentence.

    Raises
    ------
    ValueError
        If `X` or `y` is not as described, `y` has one class, or there are too few positive
        reports for `recall_target`. Messages name rows, never their text.

    See Also
    --------
    ReportEncoder : Reports as columns for a ColumnTransformer.
    ReportAttentionDisplay : Reports with their sentences marked.

    Notes
    -----
    The two attention layers are those of [1]_ by idea; widths, gates, training and everything
    around them are ours.

    The promise on recall takes positive reports for independent of each other and for like those
    to come: with many reports per patient, or in another hospital, it may not hold.

    A fitted classifier holds no report, but the words and word pairs that occur in at least two of
    them; a name that stands in two reports is among these.

    References
    ----------
    .. [1] J. Ma, W. Gao, S. Joty, K.-F. Wong, "Sentence-Level Evidence Embedding for Claim
       Verification with Hierarchical Attention Networks", ACL 2019, P19-1244.

    Examples
    --------
    >>> from sklearn_medsel import ReportAttentionClassifier
    >>> from sklearn_medsel.datasets import make_reports
    >>> data = make_reports(n_reports=120, random_state=0)
    >>> model = ReportAttentionClassifier("hashing", max_epochs=5, random_state=0)
    >>> model = model.fit(data.X[:100], data.y[:100])
    >>> evidence = model.sentence_evidence(data.X[100:])
    >>> list(evidence.columns)
    ['report', 'sentence', 'text', 'start', 'end', 'value']
    """

    _parameter_constraints: dict = {
        "encoder": "no_validation",
        "mode": [StrOptions(set(MODES))],
        "splitter": [StrOptions({"auto", "lines"}), callable],
        "claims": [str, list, tuple, dict, np.ndarray, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "threshold": [StrOptions({"f1"}), Interval(Real, 0, 1, closed="neither")],
        "recall_target": [Interval(Real, 0, 1, closed="neither"), None],
        "recall_confidence": [Interval(Real, 0, 1, closed="neither")],
        "finetune_layers": [Interval(Integral, 0, None, closed="left")],
        "cache": "no_validation",
        "cv": [Interval(Integral, 2, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_size": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        encoder="auto",
        *,
        mode="hybrid",
        splitter="auto",
        claims=None,
        n_members=3,
        class_weight=None,
        threshold="f1",
        recall_target=None,
        recall_confidence=0.9,
        finetune_layers=0,
        cache=None,
        cv=5,
        n_components=64,
        hidden_size=32,
        dropout=0.3,
        max_epochs=25,
        learning_rate=4e-3,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.encoder = encoder
        self.mode = mode
        self.splitter = splitter
        self.claims = claims
        self.n_members = n_members
        self.class_weight = class_weight
        self.threshold = threshold
        self.recall_target = recall_target
        self.recall_confidence = recall_confidence
        self.finetune_layers = finetune_layers
        self.cache = cache
        self.cv = cv
        self.n_components = n_components
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, sentence_y=None, groups=None):
        """Fit on reports and their labels.

        Parameters
        ----------
        X : array-like of str of shape (n,), or DataFrame
            Reports. A DataFrame has a column ``current`` and may have ``previous``, the report
            before (missing for a first examination), and ``claim``, a text to hold the report
            against. An empty report is allowed: it teaches nothing, and is predicted by the
            frequency of the labels.
        y : array-like of shape (n,) or (n, n_labels)
            Classes, or an indicator matrix of several labels.
        sample_weight : array-like of shape (n,), default=None
            Weights, not negative; reports of weight zero are left out.
        sentence_y : sequence of (sequence of int, sequence of pairs, or None), default=None
            Per report, 1 for each sentence that carries the finding and 0 for others; or offsets
            (start, end) of the passages that carry it; or None for no labels.
        groups : array-like of shape (n,), default=None
            Patients: reports of one patient stay in one fold of the out-of-fold scores. Reports
            with the same current text always do.

        Returns
        -------
        self
            Fitted.
        """
        reports = check_reports(X)
        target = encode_target(y)
        check_consistent_length(reports.current, target.columns, groups)
        weight = _check_sample_weight(sample_weight, reports.current, ensure_non_negative=True)
        self._check_parameters(target)
        fold_seed, network_seed = draw_seeds(self.random_state, 2)
        self.classes_, self._kind = target.classes, target.kind
        self._uses_previous = reports.previous is not None
        self._uses_claims = reports.claims is not None
        encoder = self._choose_encoder(reports)
        self.encoder_name_ = "none" if encoder is None else encoder.name
        self._fingerprint = kept_fingerprint(encoder)
        if self.finetune_layers:
            tunable_source(self.encoder, self.encoder_name_)

        n_epochs = self._n_epochs(len(reports))
        with progress(self, X, y, n_steps=self._n_steps(n_epochs)) as step:
            reader = self._make_reader(encoder)
            bags = reader.read(reports, in_steps(step, _READING_STEPS))
            labels = check_sentence_y(sentence_y, bags)
            used = np.flatnonzero((bags.sizes > 0) & (weight > 0))
            if not used.size:
                raise ValueError("X has no report with a sentence and a weight above zero.")
            check_classes_left(target, used)
            groups = reports.keys() if groups is None else joint_groups(groups, reports.keys())
            folds = make_folds(target.strata[used], groups[used], self.cv, fold_seed)
            columns = target.columns[used]
            data = TrainingSet(
                bags.take(used),
                columns,
                balanced_weight(columns, weight[used]),
                sentence_targets(labels, bags, target.columns, used),
                encode_claims(self.claims, target, reader),
            )
            network = self._network(n_epochs, network_seed)
            log_odds = self._fit_channels(data, folds, reports.take(used), target, network, step)
            weights = class_weights(self.class_weight, target, weight)[used]
            held_out = self._channels.stack_up(log_odds, columns, weights, folds)
        self._describe(target, weight, held_out, used, len(folds))
        return self

    def predict(self, X):
        """Predict labels: the second class from `threshold_` on, else the most probable class.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.

        Returns
        -------
        ndarray of shape (n,) or (n, n_labels)
            Labels as in `y`; 0 and 1 in columns if there are several per report.
        """
        probability = self.predict_proba(X)
        if self._kind == "multiclass":
            return self.classes_[probability.argmax(1)]
        if self._kind == "multilabel":
            return (probability >= self.threshold_).astype(int)
        return self.classes_[(probability[:, 1] >= self.threshold_).astype(int)]

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes), float64
            In the order of `classes_`; with several labels, that of each label. A report without
            a sentence gets the frequencies in the training data.
        """
        _, bags = self._read(X)
        return probabilities(self._log_odds(bags), self._kind)

    def _fit_channels(self, data, folds, reports, target, network, step):
        """Fit the channels, on a fine-tuned encoder if asked for; give out-of-fold log-odds."""
        self._channels = Channels(
            self.mode, n_components=self.n_components, n_members=self.n_members
        )
        self._tuned = None
        if not self.finetune_layers:
            return self._channels.fit(data, folds, network=network, step=step)

        def read(encoder):
            reader = self._make_reader(resolve_encoder(encoder), cache=False)
            return reader.read(reports), encode_claims(self.claims, target, reader)

        log_odds, self._tuned = fit_tuned(
            self._tuning(),
            data,
            data.bags.texts(reports.current),
            folds,
            self._channels,
            read=read,
            network=network,
            step=step,
        )
        return log_odds

    def _tuning(self):
        source = tunable_source(self.encoder, self.encoder_name_)
        return Tuning(source, self.finetune_layers, self._fingerprint)

    def _log_odds(self, bags):
        """Log-odds (n, n_outputs); those of the prior for reports without a sentence."""
        log_odds = self._channels.combined(bags, device=resolve_device(self.device))
        log_odds[bags.sizes == 0] = logit(np.clip(self.prior_, _LEAST_PRIOR, 1 - _LEAST_PRIOR))
        return log_odds

    def _read(self, X):
        """Check reports and turn them into bags as at fit."""
        check_is_fitted(self)
        reports = check_reports(X)
        if self._uses_claims and reports.claims is None:
            raise ValueError("X has no column 'claim', which it had at fit.")
        return reports, self._reader().read(reports)

    def _reader(self):
        """Make the reader of ``fit`` again, with the encoder that was used then."""
        if self.encoder_name_ == "none":
            return self._make_reader(None)
        encoder = same_encoder(
            self.encoder, self.encoder_name_, self._fingerprint, device=self.device
        )
        if self._tuned is not None:
            tuned = self._tuning().encoder(self._tuned, resolve_device(self.device))
            encoder = resolve_encoder(tuned)
        return self._make_reader(encoder)

    def _make_reader(self, encoder, cache=None):
        return Reader(
            self.splitter,
            encoder,
            self.cache if cache is None else cache,
            with_previous=self._uses_previous,
            with_claims=self._uses_claims,
        )

    def _choose_encoder(self, reports):
        if not needs_vectors(self.mode):
            return None
        return choose_encoder(self.encoder, reports, device=self.device)

    def _network(self, n_epochs, seed):
        return {
            "width": self.hidden_size,
            "dropout": self.dropout,
            "max_epochs": n_epochs,
            "learning_rate": self.learning_rate,
            "device": resolve_device(self.device),
            "seed": seed,
        }

    def _n_steps(self, n_epochs):
        """Give the most steps that progress can show."""
        tuning = EPOCHS * (self.cv + 1) if self.finetune_layers else 0
        return _READING_STEPS + self.cv + 2 + n_epochs + tuning

    def _n_epochs(self, n_reports):
        return max(1, min(self.max_epochs, _REPORTS_SEEN // n_reports))

    def _describe(self, target, weight, held_out, used, n_folds):
        """Set the fitted attributes that say what came out."""
        self.n_folds_ = n_folds
        names = self._channels.names
        self.channel_weights_ = dict(zip(names, self._channels.stack.coef.T, strict=True))
        self.n_vocabulary_ = len(self._channels.vocabulary)
        self.prior_ = np.average(target.columns, axis=0, weights=weight)
        positive = expit(held_out)
        threshold = choose_thresholds(
            positive,
            target.columns[used],
            weight[used],
            rule=self.threshold,
            recall=self.recall_target,
            confidence=self.recall_confidence,
        )
        flagged = np.average(positive >= threshold, axis=0, weights=weight[used])
        if not n_folds:
            flagged = np.full(len(threshold), np.nan)
        several = self._kind == "multilabel"
        self.threshold_ = threshold if several else float(threshold[0])
        self.expected_flag_rate_ = float(flagged[0]) if self._kind == "binary" else flagged

    def _check_parameters(self, target):
        if self.recall_target is not None and target.kind == "multiclass":
            raise ValueError(
                "recall_target is for two classes or several labels; y has "
                f"{len(target.classes)} classes. Name the important ones: y = labels == 'urgent'."
            )
        if self.recall_target is not None:  # before anything slow
            check_enough_positives(target.columns, self.recall_target, self.recall_confidence)
        if self.finetune_layers and not needs_vectors(self.mode):
            raise ValueError("finetune_layers needs an encoder, and mode='lexical' has none.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags
