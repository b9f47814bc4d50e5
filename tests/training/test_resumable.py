import math

import pytest
import torch

from mgd_helpers.training.resumable import run


def trained(work, *, steps, stop_at=None, watch=None, spoil=0.0):
    """A linear layer that learns to add, interrupted where `stop_at` is given."""
    work.mkdir(exist_ok=True)
    torch.manual_seed(0)
    calls = []

    def loss_of(model, generator):
        calls.append(1)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        rows = torch.randn(8, 3, generator=generator)
        return (model(rows) - rows.sum(1, keepdim=True)).square().mean() + spoil

    options = {"steps": steps, "learning_rate": 0.1, "ema_decay": 0.9, "seed": 0, "work": work, "watch": watch}
    return run("layer", torch.nn.Linear(3, 1), loss_of, **options)[0]


@pytest.mark.slow
def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(tmp_path, weights):
    whole = trained(tmp_path / "whole", steps=1010)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", steps=1010, stop_at=700)
    assert torch.load(tmp_path / "cut" / "layer.pt", weights_only=True)["step"] == 500
    assert torch.equal(weights(trained(tmp_path / "cut", steps=1010)), weights(whole))
    assert "layer: resumed at step 500" in (tmp_path / "cut" / "train.log").read_text()
    assert "layer step 1000/1010 loss 0.0" in (tmp_path / "cut" / "train.log").read_text()


def test_a_finished_training_is_not_trained_again(tmp_path, weights):
    whole = trained(tmp_path, steps=5)
    assert torch.equal(weights(trained(tmp_path, steps=5, stop_at=1)), weights(whole))


def test_whoever_watches_sees_every_step_and_of_a_finished_training_the_end(tmp_path, weights):
    seen = {}

    def watch(step, averaged, loss):
        assert not averaged.training
        seen[step] = (weights(averaged).clone(), loss)

    last = trained(tmp_path, steps=30, watch=watch)
    assert list(seen) == list(range(1, 31)) and torch.equal(seen[30][0], weights(last))
    assert seen[30][1] < seen[1][1], "it learns"
    end, loss = seen.pop(30)
    seen.clear()
    trained(tmp_path, steps=30, watch=watch)
    assert list(seen) == [30] and torch.equal(seen[30][0], end) and seen[30][1] == loss


def test_the_average_follows_the_weights_by_its_decay(tmp_path, weights):
    after = []
    trained(tmp_path, steps=2, watch=lambda step, averaged, loss: after.append(weights(averaged).clone()))
    state = torch.load(tmp_path / "layer.pt", weights_only=True)["model"]
    now = torch.cat([weight.flatten() for weight in state.values()])
    torch.testing.assert_close(after[1], 0.9 * after[0] + 0.1 * now)


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    with pytest.raises(ValueError, match="the loss of layer must stay finite; got nan at step 1"):
        trained(tmp_path, steps=5, spoil=math.nan)


def test_no_more_than_a_while_is_lost_however_slow_the_steps(tmp_path, weights, monkeypatch):
    from mgd_helpers.training import resumable

    monkeypatch.setattr(resumable, "EVERY", 0.0)
    whole = trained(tmp_path / "whole", steps=9)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", steps=9, stop_at=6)
    assert torch.load(tmp_path / "cut" / "layer.pt", weights_only=True)["step"] == 5
    assert torch.equal(weights(trained(tmp_path / "cut", steps=9)), weights(whole))
