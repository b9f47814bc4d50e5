"""The pretended GPU says where tensors lie, keeps their values, and refuses what a real one refuses."""

import subprocess
from pathlib import Path

import forks
import numpy
import pretend_gpu
import pytest
import torch

pytestmark = pytest.mark.skipif(not pretend_gpu.THERE, reason="this torch has no backends in Python")


@pytest.fixture
def there():
    with pretend_gpu.on() as device:
        yield device


def test_values_are_kept_and_stay_on_the_device(there):
    x = torch.arange(6.0).view(2, 3)
    far = x.to(there)
    layer = torch.nn.Linear(3, 2)
    wanted = layer(x)
    moved = layer.to(there)(far)
    for got, right in ((far + 1, x + 1), (far.T @ far, x.T @ x), (far[:, 1], x[:, 1]), (moved, wanted)):
        assert got.device == there and torch.allclose(got.cpu(), right)
    far[0] = 7
    assert far.tolist() == [[7.0] * 3, [3.0, 4.0, 5.0]] and float(far.sum()) == 33 and f"{far[0, 0]:.1f}" == "7.0"
    assert torch.as_tensor(5, device=there).device == torch.ones(1, device=there).device == there
    assert far[torch.tensor([1])].tolist() == [[3.0, 4.0, 5.0]]  # rows may be numbered from memory
    assert (far * torch.tensor(2.0)).device == there  # a single number may lie there
    assert far.half().dtype == torch.float16 and far.cpu().device.type == "cpu"


GRADIENT = """
import pretend_gpu, torch
with pretend_gpu.on() as there:
    x = torch.ones(3, device=there, requires_grad=True)
    (gradient,) = torch.autograd.grad((x**2).sum(), x)
    assert gradient.device == there and gradient.tolist() == [2.0] * 3
"""


def test_gradients_are_computed_there():
    """In a process of its own, as labs are run: autograd counts the devices when it is first used, and never again."""
    subprocess.run([*forks.python(), "-c", GRADIENT], cwd=Path(__file__).parent, check=True)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda far: far + torch.ones(3),
        lambda far: torch.stack([far, torch.ones(3)]),
        lambda far: torch.ones(3)[far.long()],
        lambda far: torch.cdist(far[None], torch.ones(1, 3)),
        lambda far: torch.nn.functional.conv1d(far[None, None], torch.ones(1, 1, 2)),
    ],
)
def test_what_mixes_devices_is_refused(there, mixed):
    with pytest.raises(RuntimeError, match="same device"):
        mixed(torch.ones(3, device=there))


@pytest.mark.parametrize("plain", [lambda far: far.numpy(), numpy.asarray])
def test_arrays_are_not_made_of_what_lies_there(there, plain):
    with pytest.raises(RuntimeError, match="not supported"):
        plain(torch.ones(3, device=there))


def test_types_that_do_not_fit_are_refused(there):
    with pytest.raises(RuntimeError, match="type"):
        torch.nn.Linear(3, 2).to(there, torch.float16)(torch.ones(1, 3, device=there))
