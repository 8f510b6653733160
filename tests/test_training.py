"""The training loop."""

from itertools import chain

import numpy as np
import pytest
import torch

from sklearn_medsel._training import Rows, train_module
from sklearn_medsel.base import seeded
from sklearn_medsel.nn import SelectorNet, cross_entropy, squared_error

SETTINGS = {"learning_rate": 0.05, "gate_rate": 2.0}


def rows(n=40, p=6, seed=0, weight=None):
    rng = np.random.default_rng(seed)
    X = torch.as_tensor(rng.standard_normal((n, p)))
    y = (X[:, 0] > 0).long()
    return Rows(X, y, torch.ones(n).double() if weight is None else weight)


def net(seed=0, **settings):
    with seeded(seed):
        return SelectorNet(6, 2, (4,), **settings).double()


def weights(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_full_batch_is_plain_gradient_descent():
    data, module, plain = rows(), net(), net()
    record = train_module(module, cross_entropy, data, max_epochs=12, alpha=1e-2, **SETTINGS)
    rest = [p for name, p in plain.named_parameters() if name != "select.weight"]
    optimizer = torch.optim.SGD(
        [{"params": [plain.select.weight], "lr": 0.1}, {"params": rest}],
        lr=0.05,
        momentum=0.9,
        nesterov=True,
    )
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = cross_entropy(plain(data.X), data.y, data.weight)
        loss.backward()
        optimizer.step()
        plain.select.shrink(0.1 * 1e-2)
        losses.append(loss.item())
    torch.testing.assert_close(weights(module), weights(plain))
    assert record.n_epochs == 12
    assert record.train_losses == pytest.approx(losses)
    assert record.valid_losses == []


def test_weight_decay_spares_gates_and_biases():
    free, decayed = net(), net()
    data = Rows(torch.zeros(4, 6).double(), torch.zeros(4, 2).double(), torch.ones(4).double())
    for module, decay in ((free, 0.0), (decayed, 0.5)):
        with torch.no_grad():
            module.skip.bias.fill_(0.0)
            module.skip.weight.fill_(1.0)
        train_module(module, squared_error, data, max_epochs=5, weight_decay=decay, **SETTINGS)
    assert (decayed.skip.weight < free.skip.weight).all()
    assert (free.skip.weight == 1).all()
    assert (decayed.select.weight == 1).all()


def test_batches_cover_all_rows_in_a_seeded_order():
    seen = []

    class Spy(SelectorNet):
        def forward(self, X):
            seen.append(X[:, 0].clone())
            return super().forward(X)

    def run(seed):
        seen.clear()
        with seeded(0):
            module = Spy(6, 2, (4,)).double()
        train_module(
            module, cross_entropy, rows(10), max_epochs=2, batch_size=4, seed=seed, **SETTINGS
        )
        return [batch.tolist() for batch in seen]

    first = run(0)
    assert [len(batch) for batch in first] == [4, 4, 2] * 2
    everything = sorted(rows(10).X[:, 0].tolist())
    assert sorted(chain(*first[:3])) == sorted(chain(*first[3:])) == everything
    assert first[:3] != first[3:]
    assert run(0) == first
    assert run(1) != first


def test_early_stopping_keeps_the_best_epoch():
    data = rows(30)
    noise = Rows(data.X, torch.arange(30) % 2, data.weight)
    module = net()
    record = train_module(
        module,
        cross_entropy,
        noise,
        max_epochs=500,
        valid_rows=rows(30, seed=1),
        patience=5,
        learning_rate=0.5,
        gate_rate=2.0,
    )
    assert record.n_epochs < 500
    assert len(record.valid_losses) == record.n_epochs
    valid = rows(30, seed=1)
    with torch.no_grad():
        module.eval()
        kept = cross_entropy(module(valid.X), valid.y, valid.weight).item()
    assert kept == pytest.approx(min(record.valid_losses), rel=2e-4)


def test_a_function_may_stop_training():
    calls = []
    record = train_module(
        net(),
        cross_entropy,
        rows(),
        max_epochs=50,
        on_epoch=lambda: calls.append(1) or len(calls) == 3,
        **SETTINGS,
    )
    assert record.n_epochs == len(calls) == 3


def test_ctrl_c_is_not_swallowed():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_module(net(), cross_entropy, rows(), max_epochs=5, on_epoch=interrupt, **SETTINGS)


def test_training_prints_nothing_and_moves_no_generator(capsys):
    before = torch.random.get_rng_state()
    module = net(dropout=0.5)
    train_module(
        module,
        cross_entropy,
        rows(),
        max_epochs=5,
        batch_size=7,
        valid_rows=rows(seed=1),
        **SETTINGS,
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert capsys.readouterr() == ("", "")
