"""The joint network: members apart, missing blocks silent, selection exact, held-out unseen."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel.multimodal._inputs import Inputs
from sklearn_medsel.multimodal._network import NetworkSettings, fit_network
from sklearn_medsel.multimodal._outcomes import Binary, Classes, Numbers, Survival
from sklearn_medsel.nn.fusion_net import FusionNets, GroupSelection

SIZES = [4, 3, 2]


def nets(n_members=3, sizes=SIZES, n_outputs=2, **options):
    torch.manual_seed(0)
    return FusionNets(n_members, sizes, n_outputs, **options)


def rows(n=20, sizes=SIZES, n_outputs=2, seed=0, present=None):
    """Features, present blocks and offset side by side, as a network takes them."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, sum(sizes), generator=generator)
    if present is None:
        present = torch.ones(n, len(sizes))
    offset = torch.randn(n, n_outputs, generator=generator)
    return torch.cat([features, torch.as_tensor(present, dtype=torch.float32), offset], 1)


@pytest.fixture(autouse=True)
def _global_generator():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def test_members_say_what_each_would_alone():
    many, X = nets().eval(), rows()
    together = many(X)
    assert together.shape == (3, 20, 2)
    assert not torch.allclose(together[0], together[1])
    for m in range(3):
        alone = nets(1).eval()
        alone.load_state_dict({k: v[m : m + 1] for k, v in many.state_dict().items()})
        torch.testing.assert_close(alone(X)[0], together[m])


def test_a_member_learns_from_its_own_loss_only():
    net = nets().train()
    (net(rows())[1] ** 2).sum().backward()
    for name, weight in net.named_parameters():
        assert not weight.grad[[0, 2]].any(), name
        assert weight.grad[1].any(), name


def test_starts_from_the_scores_that_are_given():
    net, X = nets().eval(), rows()
    without = X.clone()
    without[:, -2:] = 0
    torch.testing.assert_close(net(X), net(without) + X[:, -2:])


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_missing_block_has_no_influence(block, mode):
    net = getattr(nets(dropout=0.0, block_dropout=0.0), mode)()
    present = torch.ones(20, 3)
    present[:, block] = 0
    X = rows(present=present)
    of = slice(sum(SIZES[:block]), sum(SIZES[: block + 1]))
    other = X.clone()
    other[:, of] = 100 * torch.randn(20, SIZES[block], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(other), net(X), rtol=0, atol=0)
    there = other.clone()
    there[:, sum(SIZES) + block] = 1
    assert not torch.allclose(net(there), net(X)), "a block that is there has an influence"


def test_a_row_without_blocks_keeps_the_scores_that_are_given():
    X = rows(present=torch.zeros(20, 3))
    torch.testing.assert_close(nets().eval()(X), X[:, -2:].expand(3, 20, 2), rtol=0, atol=0)


def test_each_row_is_scored_by_itself():
    net, X = nets().eval(), rows()
    torch.testing.assert_close(net(X)[:, 3:7], net(X[3:7]))


def test_no_interactions_no_head():
    plain, full = nets(n_interactions=0), nets(n_interactions=4)
    heads = ("enter.", "interact.")
    assert not [name for name, _ in plain.named_parameters() if name.startswith(heads)]
    assert [name for name, _ in full.named_parameters() if name.startswith(heads)]
    assert not [name for name, _ in nets(sizes=[5]).named_parameters() if name.startswith(heads)]
    assert torch.isfinite(plain.eval()(rows())).all()


def test_the_head_needs_both_blocks():
    net = nets().eval()
    quiet = nets().eval()
    quiet.load_state_dict(net.state_dict())
    with torch.no_grad():
        quiet.interact.weight.zero_()
    alone = rows(present=torch.tensor([0.0, 1.0, 0.0]).expand(20, 3))
    torch.testing.assert_close(net(alone), quiet(alone))
    assert not torch.allclose(net(rows()), quiet(rows()))


def test_an_only_block_is_never_dropped_and_one_of_several_stays():
    net, calm = (nets(1, [4, 3], dropout=0.0, block_dropout=0.5) for _ in range(2))
    calm.eval(), net.train()
    alone = rows(200, [4, 3], present=torch.tensor([1.0, 0.0]).expand(200, 2))
    torch.testing.assert_close(net(alone), calm(alone))
    X = rows(200, [4, 3])
    said = net(X)[0]
    ways = []
    for present in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0]):
        X[:, 7:9] = torch.tensor(present)
        ways.append(torch.isclose(said, calm(X)[0], atol=1e-5).all(1))
    ways = torch.stack(ways)
    assert ways.any(0).all(), "each row is scored by both blocks or by one of them"
    assert (ways.float().mean(1) > 0.1).all(), "and each of these happens"


def test_what_is_dropped_comes_from_the_seed_and_no_global_generator():
    X, said = rows(), []
    for seed in (0, 0, 1):
        net = nets(seed=seed).train()
        state = torch.get_rng_state()
        said.append(net(X))
        assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(said[0], said[1])
    assert not torch.equal(said[0], said[2])


def test_a_block_without_features():
    sizes = [4, 0]
    with np.errstate(all="raise"):
        said = nets(sizes=sizes).eval()(rows(sizes=sizes))
    assert torch.isfinite(said).all()


# --- selection -----------------------------------------------------------------------------------


def shrunk(weight, sizes, amount):
    layer = GroupSelection(len(weight), sizes)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight)[:, None])
    layer.shrink(amount)
    return layer.weight.detach()[:, 0].numpy()


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.floats(0.01, 2),
    st.integers(0, 1000),
)
def test_shrinking_is_the_proximal_step_of_the_sparse_group_lasso(sizes, amount, seed):
    """Optimality: the step is a subgradient of the penalty at the place reached."""
    before = np.random.default_rng(seed).normal(size=(2, sum(sizes))).astype(np.float32)
    after = shrunk(before, sizes, amount)
    at = np.cumsum(sizes)[:-1]
    for v, w in zip(np.split(before, at, 1), np.split(after, at, 1), strict=True):
        least = amount / 2 * v.shape[1] ** 0.5
        for start, end in zip(v, w, strict=True):
            soft = np.maximum(np.abs(start) - amount / 2, 0)
            if not end.any():
                assert np.linalg.norm(soft) <= least + 1e-5
                continue
            pull = start - end - least * end / np.linalg.norm(end)
            zero = end == 0
            np.testing.assert_allclose(pull[~zero], amount / 2 * np.sign(end[~zero]), atol=1e-5)
            assert (np.abs(pull[zero]) <= amount / 2 + 1e-5).all()


def test_exact_zeros_by_feature_and_by_block():
    weight = [[1.0, 0.01, 1.0, 0.2, 0.2, 0.2], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]
    after = shrunk(weight, [3, 3], 0.3)
    np.testing.assert_array_equal(after[0] == 0, [False, True, False, True, True, True])
    assert (after[1] > 0).all()
    assert not shrunk(weight, [3, 3], 10.0).any()
    np.testing.assert_allclose(shrunk(weight, [3, 3], 0.0), weight)


# --- training ------------------------------------------------------------------------------------

N = 60
BRIEF = NetworkSettings(hidden_width=4, n_interactions=2, max_epochs=4, device="cpu")
FOLDS = [
    (np.flatnonzero(np.arange(N) % 3 != f), np.flatnonzero(np.arange(N) % 3 == f)) for f in range(3)
]


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(3), SIZES)
    X = rng.normal(size=(N, sum(SIZES))) / np.sqrt(np.array(SIZES))[block]
    return Inputs(X, np.ones((N, 3), dtype=bool), block)


def outcome(kind, seed=0, changed=()):
    """An outcome, that of some rows another one."""
    changed = np.asarray(changed, dtype=int)
    rng = np.random.default_rng(seed)
    label, number = rng.integers(0, 3, N), rng.normal(size=N)
    label[changed], number[changed] = (label[changed] + 1) % 3, -3 * number[changed]
    if kind == "binary":
        return Binary(label > 0)
    if kind == "classes":
        return Classes(label, 3)
    return Numbers(number) if kind == "numbers" else Survival(label > 0, np.exp(number))


def train(X, y, kept=None, seed=0):
    kept = np.ones((4, X.X.shape[1]), dtype=bool) if kept is None else kept
    offset = np.zeros((N, y.n_outputs))
    return fit_network(X, y, offset, FOLDS, kept, BRIEF, np.random.RandomState(seed))


@pytest.mark.parametrize("kind", ["binary", "classes", "numbers", "survival"])
def test_what_is_said_of_a_fold_does_not_depend_on_its_outcome(kind):
    first, second = (train(inputs(), outcome(kind, changed=c)) for c in ([], FOLDS[0][1]))
    assert np.isfinite(first.oof).all()
    np.testing.assert_allclose(second.oof[FOLDS[0][1]], first.oof[FOLDS[0][1]], atol=1e-6)
    assert not np.allclose(second.oof[FOLDS[1][1]], first.oof[FOLDS[1][1]], atol=1e-4)


@pytest.mark.parametrize("kind", ["binary", "classes", "numbers", "survival"])
def test_members_speak_of_differences_between_patients_only(kind):
    X = inputs()
    X = X._replace(X=X.X + 0.3)
    term = train(X, outcome(kind))
    said = term.outputs(X)
    for member, rows in enumerate([*(train for train, _ in FOLDS), np.arange(N)]):
        np.testing.assert_allclose(said[member, rows].mean(axis=0), 0, atol=1e-6)
    assert not term.scores(X.only([])).any()


def test_what_is_said_of_a_patient_does_not_depend_on_others_of_its_fold():
    X = inputs()
    other = X._replace(X=X.X.copy())
    other.X[FOLDS[0][1][0]] *= -5
    first, second = train(X, outcome("binary")), train(other, outcome("binary"))
    same = FOLDS[0][1][1:]
    np.testing.assert_allclose(second.oof[same], first.oof[same], atol=1e-6)


def test_training_does_not_bring_back_features_that_are_not_kept():
    kept = np.ones((4, sum(SIZES)), dtype=bool)
    kept[0, 1] = kept[-1, 5] = False
    X = inputs()
    term = train(X, outcome("binary"), kept)
    fold = np.arange(N) % 3
    for column, told, unseen in ((1, "fold", fold == 0), (5, "all", np.ones(N, dtype=bool))):
        other = X._replace(X=X.X.copy())
        other.X[:, column] = other.X[::-1, column]
        was, now = (
            term.fold_scores(inputs, fold) if told == "fold" else term.scores(inputs)
            for inputs in (X, other)
        )
        np.testing.assert_allclose(now[unseen], was[unseen], atol=1e-6)
    assert not np.allclose(term.fold_scores(other, fold), term.fold_scores(X, fold), atol=1e-4)


def test_training_is_repeatable_and_leaves_the_global_generators():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (train(inputs(), outcome("binary"), seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    np.testing.assert_array_equal(first.oof, again.oof)
    assert not np.allclose(first.oof, other.oof)


def test_stops_where_it_is_told():
    told = []

    def stop():
        told.append(1)
        return len(told) == 2

    X, y = inputs(), outcome("binary")
    kept = np.ones((4, X.X.shape[1]), dtype=bool)
    term = fit_network(X, y, np.zeros((N, 1)), FOLDS, kept, BRIEF, np.random.RandomState(0), stop)
    assert len(told) == 2
    assert np.isfinite(term.scores(X)).all()


def test_effects_are_the_slopes_of_the_scores():
    X = inputs()
    term = train(X, outcome("numbers"))
    fold = np.arange(N) % 3
    effects = term.fold_effects(X, fold)
    assert effects.shape == (3, sum(SIZES), 1)
    step = 1e-3
    for column in (0, 6):
        up, down = (X._replace(X=X.X.copy()) for _ in range(2))
        up.X[:, column] += step
        down.X[:, column] -= step
        slope = (term.fold_scores(up, fold) - term.fold_scores(down, fold))[:, 0] / (2 * step)
        for f in range(3):
            assert slope[fold == f].mean() == pytest.approx(effects[f, column, 0], abs=2e-2)
