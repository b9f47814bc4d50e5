from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mgd_helpers.training.crew import ALONE, Crew, crew_for
from mgd_helpers.training.stages import train_vae

CPU = torch.device("cpu")


@pytest.mark.parametrize(("batch", "count"), [(8, 1), (8, 2), (7, 3), (3, 3)])
def test_the_parts_of_a_crew_make_up_the_batch_and_its_mean(batch, count, randn):
    crew = [Crew(CPU, rank, count) for rank in range(count)]
    assert sorted(row for one in crew for row in range(batch)[one.rows(batch)]) == list(range(batch))
    losses = randn(batch)
    means = [one.weight(batch) * losses[one.rows(batch)].mean() for one in crew]
    torch.testing.assert_close(torch.stack(means).mean(), losses.mean())
    assert [one.is_main for one in crew] == [True] + [False] * (count - 1)


def test_a_step_of_several_is_the_step_of_one(randn):
    rows, start = randn(6, 3), torch.nn.Linear(3, 1)
    gathered = []

    def reduce(flat, reduction):
        assert reduction == "mean"
        gathered.append(flat)
        return torch.stack(gathered).mean(0) if len(gathered) == 2 else flat

    def stepped(crew):
        model = torch.nn.Linear(3, 1)
        model.load_state_dict(start.state_dict())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = crew.weight(6) * model(rows[crew.rows(6)]).square().mean()
        return crew.descend(loss, optimizer, list(model.parameters())), model.weight.detach()

    accelerator = SimpleNamespace(
        backward=lambda loss: loss.backward(), reduce=reduce, unscale_gradients=lambda optimizer: None
    )
    stepped(Crew(CPU, 0, 2, accelerator))
    torch.testing.assert_close(stepped(Crew(CPU, 1, 2, accelerator)), stepped(ALONE))


def test_without_a_launcher_one_process_trains_alone_and_in_float32(monkeypatch):
    for name in ("WORLD_SIZE", "ACCELERATE_MIXED_PRECISION"):
        monkeypatch.delenv(name, raising=False)
    assert crew_for(CPU) == crew_for(CPU, "no") == ALONE and ALONE.precision == "no"


@pytest.mark.parametrize(
    ("precision", "told"),
    [("fp16", "'no' or 'bf16' on a CPU"), ("half", "one of no, fp16, bf16, or None; got 'half'")],
)
def test_a_precision_that_is_not_there_is_refused(precision, told):
    with pytest.raises(ValueError, match=told):
        crew_for(CPU, precision)


def test_half_precision_trains_weights_that_stay_in_single(settings, waves, tmp_path, weights):
    few = replace(settings, vae_steps=2)
    crew = crew_for(CPU, "bf16")
    assert crew.precision == "bf16" and crew.count == 1
    half, whole = (
        train_vae(waves.train.images, few, work=tmp_path / str(one.precision), crew=one)[0] for one in (crew, ALONE)
    )
    assert weights(half).dtype == torch.float32 and not torch.equal(weights(half), weights(whole))
    torch.testing.assert_close(weights(half), weights(whole), rtol=0.1, atol=0.1)
    assert crew_for(CPU, "no") == ALONE, "the next one is asked anew"
