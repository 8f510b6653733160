"""The attention networks: padding, members, claims, and training that leaves no traces."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel._training import PaddedReports, train_by_adam
from sklearn_medsel.nn import ReportAttentionNets, SeededDropout, binary_cross_entropy
from sklearn_medsel.text._attention import AttentionHead, _loss
from sklearn_medsel.text._bags import Bags
from sklearn_medsel.text._sentences import Sentence

D, K = 5, 2


def make_nets(n_members=3, *, seed=0, **settings):
    """Networks in evaluation mode, their weights drawn from a seed; also those that start at 0."""
    nets = ReportAttentionNets(n_members, D, K, width=8, **settings)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in nets.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return nets.eval()


def make_batch(sizes, length=None, *, fill=0.0, seed=0):
    """Sentence vectors, padded by a value, and which of them are there."""
    generator = torch.Generator().manual_seed(seed)
    whole = torch.randn(len(sizes), 9, D, generator=generator)
    length = max(sizes) if length is None else length
    present = torch.arange(length) < torch.tensor(sizes)[:, None]
    return torch.where(present[..., None], whole[:, :length], fill), present


def make_bags(sizes):
    n = int(np.sum(sizes))
    return Bags(
        np.array(sizes), [Sentence(0, 1, "")] * n, [[]] * n, np.zeros((n, 0)), [[]] * len(sizes)
    )


def make_problem(n=90, *, seed=0):
    """Reports that are important where a sentence points far into the first direction."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, n)
    vectors = rng.standard_normal((sizes.sum(), D)).astype(np.float32)
    carries = vectors[:, 0] > 1
    target = np.logical_or.reduceat(carries, np.cumsum(sizes) - sizes)
    return vectors, make_bags(sizes), target.astype(float)[:, None], carries[:, None].astype(float)


def fit_head(vectors, bags, target, weight, *, seed=0, claims=None, evidence=None, **settings):
    settings = {"width": 8, "dropout": 0.2, "max_epochs": 3, "learning_rate": 0.01} | settings
    return AttentionHead(**settings).fit(
        vectors,
        bags,
        target,
        weight,
        claims=claims,
        evidence=evidence,
        device=torch.device("cpu"),
        seed=seed,
        on_epoch=lambda: False,
    )


# --- the forward pass


@settings(max_examples=15)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0, -1e4]),
)
def test_padding_changes_nothing(sizes, more, fill):
    nets = make_nets()
    logits, attention = nets(*make_batch(sizes))
    longer, spread = nets(*make_batch(sizes, max(sizes) + more, fill=fill))
    torch.testing.assert_close(longer, logits)
    torch.testing.assert_close(spread[:, :, : max(sizes)], attention)
    assert not spread[:, :, max(sizes) :].any()


def test_attention_sums_to_one_and_is_zero_on_padding():
    sentences, present = make_batch([1, 4, 6, 2])
    _, attention = make_nets()(sentences, present)
    assert attention.shape == (3, 4, 6, K)
    torch.testing.assert_close(attention.sum(2), torch.ones(3, 4, K))
    assert not attention[:, ~present].any()
    assert (attention[:, present] > 0).all()
    torch.testing.assert_close(attention[:, 0, 0], torch.ones(3, K))


def test_a_report_without_sentences_is_no_nan():
    logits, attention = make_nets()(*make_batch([0, 3]))
    assert logits.isfinite().all()
    assert attention.isfinite().all()


def test_reports_do_not_see_each_other():
    nets = make_nets()
    sentences, present = make_batch([3, 5, 2])
    together, _ = nets(sentences, present)
    for row in range(3):
        alone, _ = nets(sentences[[row]], present[[row]])
        torch.testing.assert_close(alone[:, 0], together[:, row])


def test_the_order_of_the_sentences_does_not_matter():
    nets = make_nets()
    sentences, present = make_batch([6, 6])
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    logits, attention = nets(sentences, present)
    turned, moved = nets(sentences[:, order], present)
    torch.testing.assert_close(turned, logits)
    torch.testing.assert_close(moved, attention[:, :, order])


def test_sentences_take_in_the_others():
    # coherence: the attention's energy of one sentence depends on what another says
    nets = make_nets()
    sentences, present = make_batch([3])
    changed = sentences.clone()
    changed[0, 2] += 1
    before, after = nets(sentences, present)[1], nets(changed, present)[1]
    ratio = [a[:, 0, 0] / a[:, 0, 1] for a in (before, after)]
    assert not torch.allclose(*ratio)


@pytest.mark.parametrize("claims", ["learned", "given"])
def test_members_are_single_networks(claims):
    nets = make_nets(claims=claims)
    batch = make_batch([3, 1, 5])
    texts = (torch.randn(3, K, D),) if claims == "given" else ()
    logits, attention = nets(*batch, *texts)
    for member in range(3):
        alone = ReportAttentionNets(1, D, K, width=8, claims=claims).eval()
        alone.load_state_dict({n: v[[member]] for n, v in nets.state_dict().items()})
        one, weights = alone(*batch, *texts)
        torch.testing.assert_close(one[0], logits[member])
        torch.testing.assert_close(weights[0], attention[member])


def test_given_claims_decide_and_learned_ones_are_weights():
    learned, given_ = make_nets(), make_nets(claims="given")
    assert "claim" in learned.state_dict()
    assert "claim" not in given_.state_dict()
    batch = make_batch([3, 4])
    claims = torch.randn(2, K, D, generator=torch.Generator().manual_seed(1))
    logits, _ = given_(*batch, claims)
    # each output hears its own claim, each row its own
    swapped, _ = given_(*batch, claims.flip(1))
    torch.testing.assert_close(swapped, logits.flip(2))
    other = claims.clone()
    other[0] += 1
    changed, _ = given_(*batch, other)
    torch.testing.assert_close(changed[:, 1], logits[:, 1])
    assert not torch.allclose(changed[:, 0], logits[:, 0])


# --- loss and dropout


def test_binary_cross_entropy_is_torchs():
    generator = torch.Generator().manual_seed(0)
    output = 3 * torch.randn(4, 6, K, generator=generator, dtype=torch.float64)
    target = (torch.rand(6, K, generator=generator) < 0.5).double()
    weight = torch.rand(4, 6, K, generator=generator, dtype=torch.float64)
    for member in range(4):
        expected = torch.nn.functional.binary_cross_entropy_with_logits(
            output[member], target, weight[member], reduction="sum"
        )
        found = binary_cross_entropy(output, target, weight)[member]
        torch.testing.assert_close(found, expected / weight[member].sum())


def test_binary_cross_entropy_of_extremes():
    output = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    right = binary_cross_entropy(output, torch.tensor([[1.0], [0.0]]), torch.ones(2, 1))
    wrong = binary_cross_entropy(output, torch.tensor([[0.0], [1.0]]), torch.ones(2, 1))
    assert right == 0
    assert wrong == 1e4
    nothing = binary_cross_entropy(output, torch.ones(2, 1), torch.zeros(2, 1))
    (slope,) = torch.autograd.grad(nothing, output)
    assert nothing == 0
    assert not slope.any()


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.9, 0.99, 0.9999])
def test_dropout_keeps_its_rate_and_the_mean(rate):
    dropped = SeededDropout(rate, seed=0)(torch.ones(1000, 257))
    kept = (dropped > 0).float().mean().item()
    expected = max(1, round(256 * (1 - rate))) / 256
    assert kept == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 257_000) ** 0.5)
    assert dropped.max().item() == pytest.approx(1 / expected)
    assert dropped.mean().item() == pytest.approx(1, abs=0.15)


def test_dropout_draws_anew_and_for_any_shape():
    dropout = SeededDropout(0.5, seed=0)
    X = torch.ones(3, 7, 11, dtype=torch.float64)
    first, second = dropout(X), dropout(X)
    assert first.dtype == torch.float64
    assert not torch.equal(first, second)
    assert dropout(torch.ones(0, 3)).shape == (0, 3)
    # neighbours are independent, though one draw serves eight of them
    long = (dropout(torch.ones(80_000)) > 0).float() - 0.5
    for lag in (1, 2, 7, 8):
        assert abs((long[lag:] * long[:-lag]).mean()) < 0.005


# --- training


def test_padded_reports_cut_a_batch_to_its_longest():
    sentences, _ = make_batch([1, 6, 2])
    rows = PaddedReports(
        sentences,
        torch.tensor([1, 6, 2]),
        (torch.arange(3),),
        torch.ones(3, 1),
        torch.ones(3, K, D),
    )
    inputs, ((labels,), weight) = rows[torch.tensor([2, 0])]
    assert inputs["sentences"].shape == (2, 2, D)
    assert inputs["present"].tolist() == [[True, True], [True, False]]
    assert inputs["claims"].shape == (2, K, D)
    assert labels.tolist() == [2, 0]
    assert weight.shape == (2, 1)


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 4, 5, 6, 10])
def test_any_number_of_steps_can_be_trained(max_epochs):
    vectors, bags, target, _ = make_problem(n=10)
    head = fit_head(vectors, bags, target, np.ones((2, 10, 1)), max_epochs=max_epochs)
    assert np.isfinite(head.outputs(vectors, bags)[0]).all()


def test_training_stops_when_told():
    sentences, _ = make_batch([2] * 6)
    rows = PaddedReports(
        sentences,
        torch.full((6,), 2),
        (torch.ones(6, K), torch.zeros(6, 2, K)),
        torch.ones(6, 2, K),
    )
    calls = iter([False, True])
    record = train_by_adam(
        ReportAttentionNets(2, D, K, width=8),
        _loss,
        rows,
        max_epochs=9,
        learning_rate=0.01,
        weight_decay=0.0,
        batch_size=4,
        seed=0,
        on_epoch=lambda: next(calls),
    )
    assert record.n_epochs == len(record.train_losses) == 2


def test_the_head_learns_and_attends_to_the_evidence():
    vectors, bags, target, carries = make_problem(n=200)
    head = fit_head(
        vectors, bags, target, np.ones((2, 200, 1)), max_epochs=30, learning_rate=0.02, width=16
    )
    fresh, bags, target, carries = make_problem(n=200, seed=1)
    log_odds, attention = head.outputs(fresh, bags)
    assert ((log_odds.mean(0) > 0) == target).mean() > 0.8
    assert attention[carries == 1].mean() > 1.5 * attention[carries == 0].mean()
    np.testing.assert_allclose(np.add.reduceat(attention, bags.starts), 1, atol=1e-6)


def test_labelled_sentences_draw_the_attention():
    # batches of unequal length, and labels that the reports' own do not give away
    vectors, bags, target, _ = make_problem(n=150)
    last = (bags.place == bags.sizes[bags.owner] - 1).astype(float)[:, None]
    vectors[:, 1] = 3 * last[:, 0]
    weight = np.ones((1, 150, 1))
    plain = fit_head(vectors, bags, target, weight, max_epochs=15)
    taught = fit_head(vectors, bags, target, weight, max_epochs=15, evidence=last)
    share = [head.outputs(vectors, bags)[1][last == 1].mean() for head in (plain, taught)]
    assert share[1] > share[0] + 0.1


@pytest.mark.parametrize("labelled", [False, True])
def test_a_report_of_weight_zero_gives_its_member_no_gradient(labelled):
    nets = make_nets(2, dropout=0.0)
    sentences, present = make_batch([3, 5, 2, 4])
    weight = torch.ones(4, 2, K)
    weight[:2, 1] = 0  # member 1 must not see reports 0 and 1

    def gradients(seen, labels, carries):
        nets.zero_grad()
        _loss(nets(seen, present), (labels, carries), weight).backward()
        return [parameter.grad.clone() for parameter in nets.parameters()]

    labels = (torch.arange(8).view(4, K) % 3 == 0).float()
    carries = torch.zeros(4, 5, K)
    if labelled:
        carries[:, 0] = 1
    before = gradients(sentences, labels, carries)
    others = [sentences.clone(), labels.clone(), carries.clone()]
    others[0][:2] += 1
    others[1][:2] = 1 - labels[:2]
    others[2][0] = 0
    after = gradients(*others)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one[1], other[1])
    assert any(
        not torch.allclose(one[0], other[0]) for one, other in zip(before, after, strict=True)
    )


def test_what_a_member_must_not_see_does_not_move_it():
    vectors, bags, target, _ = make_problem(n=90)
    weight = np.ones((2, 90, 1))
    weight[1, :30] = 0
    turned = target.copy()
    turned[:30] = 1 - turned[:30]
    before, after = (
        fit_head(vectors, bags, y, weight, max_epochs=10).outputs(vectors, bags)[0]
        for y in (target, turned)
    )
    assert np.abs(before - after)[0].max() > 0.01
    np.testing.assert_array_equal(before[1], after[1])


@pytest.mark.parametrize("claims", [None, "of outputs", "of rows"])
def test_training_follows_its_seed_and_leaves_the_global_generator(claims):
    vectors, bags, target, _ = make_problem(n=80)
    if claims is not None:
        claims = np.full((1, D) if claims == "of outputs" else (80, 1, D), 0.5, np.float32)
    weight = np.ones((2, 80, 1))
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = fit_head(vectors, bags, target, weight, claims=claims)
    assert torch.equal(state, torch.random.get_rng_state())
    torch.rand(3)
    again = fit_head(vectors, bags, target, weight, claims=claims)
    other = fit_head(vectors, bags, target, weight, claims=claims, seed=1)
    assert all(np.array_equal(first.weights[n], again.weights[n]) for n in first.weights)
    assert not np.array_equal(first.weights["enter.weight"], other.weights["enter.weight"])
    # members start apart
    assert not np.array_equal(*first.weights["enter.weight"])


def test_a_claim_per_row_is_for_one_output():
    vectors, bags, _, _ = make_problem(n=20)
    with pytest.raises(ValueError, match="column 'claim'"):
        fit_head(
            vectors,
            bags,
            np.eye(3)[np.arange(20) % 3],
            np.ones((1, 20, 3)),
            claims=np.ones((20, 1, D), np.float32),
        )


def test_some_members_of_a_head():
    vectors, bags, target, _ = make_problem(n=30)
    head = fit_head(vectors, bags, target, np.ones((3, 30, 1)))
    log_odds, _ = head.outputs(vectors, bags)
    some = head.members(np.array([2, 0]))
    np.testing.assert_allclose(some.outputs(vectors, bags)[0], log_odds[[2, 0]], atol=1e-6)


def test_a_long_report_is_cut_and_an_empty_one_is_held():
    vectors, bags, target, _ = make_problem(n=30)
    head = fit_head(vectors, bags, target, np.ones((1, 30, 1)))
    sizes = [100, 0, 2]
    many = np.random.default_rng(0).standard_normal((102, D)).astype(np.float32)
    log_odds, attention = head.outputs(many, make_bags(sizes))
    assert np.isfinite(log_odds).all()
    assert not attention[64:100].any()
    np.testing.assert_allclose([attention[:64].sum(), attention[100:].sum()], 1, atol=1e-6)


def test_weights_that_diverge_are_reported():
    vectors, bags, target, _ = make_problem(n=20)
    vectors[0] = np.nan
    with pytest.raises(ValueError, match="training diverged"):
        fit_head(vectors, bags, target, np.ones((1, 20, 1)))
