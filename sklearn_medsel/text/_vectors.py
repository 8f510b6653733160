"""Sentence vectors made small: principal components, section, and what became of the sentence."""

import numpy as np
from sklearn.decomposition import PCA

from sklearn_medsel.text._bags import STATUSES

_LEAST = 1e-12


class SentenceFeatures:
    """From a bag's vectors to the columns that the heads learn on.

    A few hundred reports do not determine weights for 384 or 512 directions: the first principal
    components of the training sentences carry nearly all, and are five times quicker.

    Parameters
    ----------
    n_components : int
        Largest number of components.

    Attributes
    ----------
    pca : PCA
        Fitted on the training sentences, without labels.
    scale : float
        Root mean variance of the components, which become 1 on average.
    """

    def __init__(self, n_components):
        self.n_components = n_components

    def fit(self, bags):
        """Learn the components from the sentences of some bags; return self."""
        self.pca = fit_components(bags.vectors, self.n_components)
        self.scale = float(np.sqrt(max(self.pca.explained_variance_.mean(), _LEAST)))
        return self

    def transform(self, bags):
        """Give the features (n_sentences, d) of the sentences, float32."""
        parts = [self.components(bags.vectors), bags.sections]
        if bags.statuses is not None:
            parts.append(np.eye(len(STATUSES), dtype=np.float32)[bags.statuses])
        return np.hstack(parts)

    def claims(self, vectors, n_features):
        """Bring vectors of claims to the width of the sentences' features."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        # where sentences have a second half, what they were before, a claim has none
        flat = np.pad(flat, ((0, 0), (0, self.pca.n_features_in_ - flat.shape[1])))
        short = self.components(flat)
        padded = np.pad(short, ((0, 0), (0, n_features - short.shape[1])))
        return padded.reshape(*vectors.shape[:-1], n_features)

    def components(self, vectors):
        """Give the scaled components of any vectors as long as those of ``fit``."""
        return (take_components(self.pca, vectors) / self.scale).astype(np.float32)


def fit_components(vectors, n_components):
    """Learn at most this many principal components of sentence vectors (n, d), as a PCA."""
    n_components = min(n_components, *vectors.shape)
    alike = (vectors == vectors[0]).all()
    if len(vectors) == 1:
        vectors = np.repeat(vectors, 2, axis=0)  # no variance, instead of an unknown one
    # whatever scikit-learn is told to put out elsewhere, arrays are computed with here
    pca = PCA(n_components, svd_solver="covariance_eigh").set_output(transform="default")
    with np.errstate(invalid="ignore"):  # shares of a variance of 0, which nothing asks for
        pca.fit(vectors)
    if alike:
        pca.components_[:] = 0  # sentences all alike show no direction: any would be made up
    return pca


def take_components(pca, vectors):
    """Give the components of vectors (n, d); without sentences there are none, (0, k)."""
    return pca.transform(vectors) if len(vectors) else np.zeros((0, pca.n_components_))
