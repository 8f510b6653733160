"""MultimodalClassifier: classes of patients from several modalities."""

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from sklearn_medsel._validation import encode_labels, list_rows
from sklearn_medsel.multimodal._estimator import MultimodalEstimator
from sklearn_medsel.multimodal._outcomes import Binary, Classes, refuse_survival


class MultimodalClassifier(ClassifierMixin, MultimodalEstimator):
    """Classify patients by images, genes, text and clinical data together.

    Parameters
    ----------
    blocks : list of (name, modality, columns)
        The modalities. ``modality`` is ``"table"`` (numbers and categories mixed), ``"image"``
        (paths or bytes, or lists of these) or ``"text"``; ``columns`` are given as a
        `ColumnTransformer` takes them: a name, a list, a slice, a mask, a callable, a compiled
        regular expression, or a name with a wildcard such as ``"rna__*"``.
    base : str or None, default=None
        Block that is fitted first, usually the clinical one. With ``fusion="residual"`` all other
        blocks learn what it leaves over.
    fusion : {"residual", "late", "stacked", "gated", "concat"}, default="residual"
        ``"residual"``: base, then the other blocks by ridge models of each and of all together,
        then clear interactions and the joint network, each stage weighed by cross-validation and
        drawn towards zero. ``"late"``: mean of the blocks' scores. ``"stacked"``: their weighted
        sum. ``"gated"``: the joint network alone. ``"concat"``: one linear model of all blocks.
    n_features_to_select : int or None, default=None
        Number of features to keep over all blocks, exactly; pairs of features then take no part in
        predictions. None keeps all, and calls those selected that pass `fdr`.
    fdr : float, default=0.2
        Tolerated false discovery rate among the selected, as in `DeepFeatureSelector`, where no
        number is given.
    cv : int, default=5
        Number of inner folds.
    hidden_width : int, default=16
        Width of the hidden layer of each block in the joint network.
    n_interactions : int, default=4
        Products per pair of blocks in the joint network's interaction head. 0: neither a head nor
        pairs of features take part in predictions.
    dropout : float, default=0.3
        Dropout rate in the joint network.
    block_dropout : float, default=0.2
        How often a block is hidden from a patient while the joint network is trained.
    selection_penalty : float, default=0.01
        Sparse-group penalty on the selection layer of the joint network.
    learning_rate : float, default=0.015
        Largest step size of the joint network.
    max_epochs : int, default=60
        Steps of the joint network. 0 leaves it out.
    n_permutations : int, default=50
        Permutations behind the p-values of interactions; a Gumbel distribution is fitted to them.
    text_encoder : transformer, dict of str to transformer, or None, default=None
        How text becomes numbers; None: terms weighed by TF-IDF. One that learns from `y` must
        cross-fit in ``fit_transform``, or its block is believed too much; a warning says so.
    image_encoder : transformer, dict of str to transformer, or None, default=None
        How images become numbers; None: ``ImageEncoder(network="texture", n_components=None)``.
    image_root : str, Path or None, default=None
        Folder that paths of images are relative to.
    device : str, default="auto"
        ``"auto"``: CUDA if there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seed of folds, network, decoys and permutations.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    feature_importances_ : DataFrame
        One row per feature: ``block``, ``feature``, ``importance`` (how far the feature moves the
        score of patients left out, as a root mean square, not negative), ``stability`` (share of
        the inner folds in which it is a leading one), ``selected`` and ``direction``
        (1 where more of it speaks for the last of `classes_`, -1 against it).
    modality_importances_ : DataFrame
        One row per block: ``importance``, its exact Shapley share of the explained loss of
        patients left out (0: as good as knowing nothing); ``spread`` over the inner folds;
        ``mean_abs``, the mean size of its share of a patient's score; ``available``.
    modality_contributions_ : DataFrame of shape (n, n_blocks)
        Exact Shapley values of the score of every training patient, by models that did not see
        them.
    interactions_ : DataFrame
        One row per pair of blocks: ``block_a``, ``block_b``, ``strength`` (correlation of the
        products' score with what main effects leave over, on patients left out), ``pvalue`` (of
        the clearest product anywhere, by permutation of what main effects leave over for patients
        left out, and beside what bends in single features) and ``top_pairs`` (feature, feature,
        strength).
    term_weights_ : DataFrame
        Weight of each term of the fused score.
    availability_ : Series
        Share of the patients who have each block.
    oof_score_ : ndarray of shape (n,) or (n, n_classes)
        Log-odds (two classes) or score of each class of the training patients, by models that
        did not see them.
    task_ : {"classification"}
        What is predicted.
    blocks_ : list of (str, str, list of str)
        Name, modality and columns of each block.
    base_ : str or None
        Block fitted first.
    n_features_in_ : int
        Number of columns of `X`, with those of no block.
    feature_names_in_ : ndarray of shape (n_columns,), object
        Their names, if `X` was a DataFrame and all of them are text. `X` of a prediction needs
        the columns of the blocks only.

    See Also
    --------
    MultimodalRegressor : The same for numbers.
    MultimodalCox : The same for survival.
    compare_fusions : Compare rules of fusion and simpler models on the same folds.

    Notes
    -----
    Every step is learnt inside the training rows: imputation, categories, scaling, vocabulary,
    penalties, weights. Inner folds give every training patient a score by models that have not
    seen them; all that is reported after the fit comes from these. Penalties and the shares of the
    stages are chosen on all training patients, so such scores are a little too good, the more so
    the fewer the patients and the more the blocks: six blocks of noise and 60 patients give an AUC
    of .55 to .65 by the rule of fusion.

    A block that a patient lacks contributes nothing to their score. If the pattern of missing
    blocks alone predicts the outcome, a warning says so.

    Nothing here is a medical device.

    References
    ----------
    .. [1] L. Breiman. Stacked regressions. Machine Learning 24 (1996) 49-64.
    .. [2] M. A. van de Wiel, M. M. van Nee, A. Rauschenberger. Fast cross-validation for
       multi-penalty high-dimensional ridge regression. J Comput Graph Stat 30 (2021) 835-847.
    .. [3] L. S. Shapley. A value for n-person games. Contributions to the Theory of Games 2 (1953).

    Examples
    --------
    >>> from sklearn_medsel import MultimodalClassifier, make_patients
    >>> data = make_patients(120, task="classification", n_genes=80, random_state=0)
    >>> blocks = [("clin", "table", "clin__*"), ("gene", "table", "gene__*")]
    >>> model = MultimodalClassifier(blocks, base="clin", max_epochs=5, random_state=0)
    >>> model = model.fit(data.X, data.y)
    >>> model.predict(data.X).shape
    (120,)
    >>> model.modality_importances_["block"].tolist()
    ['clin', 'gene']
    """

    def _read_outcome(self, y):
        refuse_survival(y)
        y = column_or_1d(y, warn=True)
        missing = pd.isna(y)
        if missing.any():
            raise ValueError(f"y is missing at {list_rows(missing)}; drop these patients.")
        self.classes_, codes = encode_labels(y, "y")
        check_classification_targets(y)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only; classification needs at least two classes.")
        if len(self.classes_) == 2:
            return Binary(codes)
        return Classes(codes, len(self.classes_))

    def decision_function(self, X):
        """Score patients.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes), float64
            Log-odds of the second class, or a score for each class.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X):
        """Give the probability of each class.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n, n_classes), float64
            Rows sum to one.
        """
        scores = self._scores(X)
        if len(self.classes_) == 2:
            positive = expit(scores[:, 0])
            return np.column_stack([1 - positive, positive])
        return softmax(scores, axis=1)

    def predict(self, X):
        """Give the most probable class.

        Parameters
        ----------
        X : DataFrame of shape (n, n_columns)
            Patients.

        Returns
        -------
        ndarray of shape (n,)
            Labels.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
