import inspect
import math
import sys
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import scipy.linalg
import torch

from mgd_helpers.data import images
from mgd_helpers.evaluation import fidelity
from mgd_helpers.evaluation.fidelity import (
    embedding_distance,
    frechet_distance,
    inception_features,
    kernel_distance,
    mmd,
    per_class,
)
from mgd_helpers.linalg import squared_distances
from mgd_helpers.seeding import generator

pytest.importorskip("torchmetrics")


@pytest.fixture(autouse=True)
def forgotten():
    """No network that another test put in the place of Inception."""
    fidelity._inception.cache_clear()
    yield
    fidelity._inception.cache_clear()


def mmd_by_loops(generated, real, bandwidth):
    def kernel(x, y):
        return math.exp(-sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / (2 * bandwidth**2))

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in generated for y in real) / (len(generated) * len(real))
    return within(generated) + within(real) - 2 * across


@pytest.mark.parametrize("bandwidth", [0.5, 2.0])
@pytest.mark.parametrize("sizes", [(6, 9), (2, 2)])
def test_mmd_is_the_double_loop(randn, device, sizes, bandwidth):
    generated, real = randn(sizes[0], 4), randn(sizes[1], 4) + 1
    found = mmd(generated=generated.to(device), real=real.to(device), bandwidth=bandwidth)
    expected = mmd_by_loops(generated.tolist(), real.tolist(), bandwidth)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_bandwidth_is_the_median_distance_among_the_real(randn):
    generated, real = randn(6, 4), randn(9, 4)
    median = torch.pdist(real.double()).median().item()
    assert mmd(generated=generated, real=real) == pytest.approx(mmd(generated=generated, real=real, bandwidth=median))


def test_the_default_bandwidth_of_a_large_set_is_that_of_a_part_drawn_once(randn, monkeypatch):
    monkeypatch.setattr(fidelity, "LARGEST_FOR_BANDWIDTH", 40)
    generated, real = randn(6, 4), torch.cat([randn(200, 4), randn(200, 4) + 9])  # ordered, as in a folder
    part = real[torch.randperm(400, generator=generator(0))[:40]]
    expected = mmd(generated=generated, real=real, bandwidth=torch.pdist(part.double()).median().item())
    assert mmd(generated=generated, real=real) == pytest.approx(expected)


def test_mmd_keeps_to_its_memory(randn, monkeypatch):
    sizes = []

    def watched(points, cloud):
        squares = squared_distances(points, cloud)
        sizes.append(points.nbytes + cloud.nbytes + squares.nbytes)
        return squares

    monkeypatch.setattr(fidelity, "squared_distances", watched)
    generated, real = randn(30, 3), randn(70, 3)
    found = mmd(generated=generated, real=real, bandwidth=1.0, block_bytes=2000)
    assert 1000 < max(sizes) <= 2000
    assert found == pytest.approx(mmd(generated=generated, real=real, bandwidth=1.0))


@pytest.mark.parametrize("metric", [mmd, frechet_distance, kernel_distance])
@pytest.mark.parametrize("broken", ["generated", "real"])
def test_features_that_are_not_finite_are_refused(randn, metric, broken):
    features = {"generated": randn(5, 3), "real": randn(6, 3)}
    features[broken][2, 1] = float("nan")
    with pytest.raises(ValueError, match=f"{broken} must be finite; got NaN or infinite features"):
        metric(**features)


@pytest.mark.slow
def test_mmd_is_zero_on_average_between_samples_of_one_distribution(randn):
    values = torch.tensor([mmd(generated=randn(20, 3), real=randn(20, 3), bandwidth=1.5) for _ in range(200)])
    assert values.min() < 0 < values.max()
    assert values.mean().abs() < 4 * values.std() / 200**0.5


def test_mmd_grows_with_the_gap_between_the_sets(randn):
    generated, real = randn(30, 3), randn(30, 3)
    values = [mmd(generated=generated + shift, real=real) for shift in (0, 1, 2, 4)]
    assert values == sorted(values)


def test_mmd_does_not_mind_order_offset_or_rotation(randn):
    generated, real = randn(8, 5), randn(9, 5)
    turn = torch.linalg.qr(randn(5, 5)).Q
    plain = mmd(generated=generated, real=real)
    assert mmd(generated=generated.flip(0), real=real.flip(0)) == pytest.approx(plain)
    assert mmd(generated=generated @ turn + 10, real=real @ turn + 10) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize(("sizes", "got"), [((1, 5), "got 1 and 5"), ((5, 1), "got 5 and 1")])
def test_single_rows_are_refused(sizes, got):
    with pytest.raises(ValueError, match=f"generated and real need at least 2 rows; {got}"):
        mmd(generated=torch.zeros(sizes[0], 2), real=torch.zeros(sizes[1], 2))


@pytest.mark.parametrize("bandwidth", [None, 0.0, -1.0, float("nan")])
def test_bandwidths_that_are_not_positive_are_refused(bandwidth):
    with pytest.raises(
        ValueError, match=r"bandwidth must be a number > 0; got .*\. Pass one where most real features are equal"
    ):
        mmd(generated=torch.eye(3), real=torch.ones(4, 3), bandwidth=bandwidth)


def frechet_by_scipy(generated, real):
    generated, real = generated.double().numpy(), real.double().numpy()
    one, other = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (generated, real))
    gap = ((generated.mean(0) - real.mean(0)) ** 2).sum()
    return gap + np.trace(one + other - 2 * scipy.linalg.sqrtm(one @ other).real)


@pytest.mark.parametrize(("n", "m", "d"), [(50, 70, 8), (40, 40, 1), (6, 9, 12), (20, 30, 40), (3, 4, 2)])
def test_frechet_is_the_formula_with_a_matrix_root(randn, device, n, m, d):
    generated, real = randn(n, d) * 1.5 + 0.3, randn(m, d) @ randn(d, d)
    found = frechet_distance(generated=generated.to(device), real=real.to(device))
    assert found == pytest.approx(frechet_by_scipy(generated, real), rel=1e-6)


@pytest.mark.parametrize("d", [3, 50])  # of full rank, and not
def test_frechet_is_zero_for_one_set_and_never_negative(randn, d):
    rows = randn(20, d)
    assert 0 <= frechet_distance(generated=rows, real=rows.flip(0)) < 1e-5


def test_frechet_of_a_shift_is_its_squared_length(randn):
    rows, shift = randn(30, 6, dtype=torch.float64), torch.tensor([3.0, 0, 4, 0, 0, 0])
    assert frechet_distance(generated=rows + shift, real=rows) == pytest.approx(25, abs=1e-6)
    assert frechet_distance(generated=rows * 3, real=rows) == pytest.approx(  # (3 - 1)² tr S, and the means
        4 * (rows.var(0).sum() + rows.mean(0).square().sum()).item()
    )


def test_frechet_nears_the_distance_of_the_gaussians_from_above(randn):
    real = randn(20000, 4)
    values = [frechet_distance(generated=randn(n, 4) * 2 + 1, real=real) for n in (50, 20000)]
    assert values[1] == pytest.approx(8, abs=0.3)  # 4 (2 - 1)² + 4 · 1²
    few = [frechet_distance(generated=randn(10, 4), real=real) for _ in range(10)]
    many = [frechet_distance(generated=randn(200, 4), real=real) for _ in range(10)]
    assert min(few) > max(many)  # the bias that its docstring warns of


@pytest.mark.parametrize("d", [5, 40])
def test_frechet_does_not_mind_order_rotation_or_offset(randn, d):
    generated, real = randn(18, d, dtype=torch.float64), randn(19, d, dtype=torch.float64) * 2
    turn = torch.linalg.qr(randn(d, d, dtype=torch.float64)).Q
    plain = frechet_distance(generated=generated, real=real)
    assert frechet_distance(generated=real, real=generated) == pytest.approx(plain, rel=1e-6)
    assert frechet_distance(generated=generated.flip(0), real=real.flip(0)) == pytest.approx(plain, rel=1e-6)
    moved = frechet_distance(generated=generated @ turn + 1000, real=real @ turn + 1000)
    assert moved == pytest.approx(plain, rel=1e-6)


def kid_by_loops(generated, real):
    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in generated for y in real) / (len(generated) * len(real))
    return within(generated) + within(real) - 2 * across


def test_kernel_distance_of_one_subset_of_all_rows_is_the_unbiased_estimator(randn, device):
    generated, real = randn(9, 4), randn(9, 4) + 1
    expected = kid_by_loops(generated.tolist(), real.tolist())
    generated, real = generated.to(device), real.to(device)
    for options in ({}, {"subsets": 1, "subset_size": 9}, {"seed": 5}):
        assert kernel_distance(generated=generated, real=real, **options) == pytest.approx(expected, rel=1e-9)


def test_subsets_average_to_the_unbiased_estimator(randn):
    generated, real = randn(7, 3), randn(9, 3)
    expected = kid_by_loops(generated.tolist(), real.tolist())
    found = kernel_distance(generated=generated, real=real, subsets=2000)
    assert found == pytest.approx(expected, abs=0.02)


def test_no_row_is_drawn_twice_into_a_subset():
    corners, zeros = 10 * torch.eye(7), torch.zeros(9, 7)  # the kernel is 1 but between a row and itself
    assert kernel_distance(generated=corners, real=zeros, subset_size=3) == pytest.approx(0, abs=1e-12)


def test_kernel_distance_is_zero_on_average_between_samples_of_one_distribution(randn):
    values = torch.tensor([kernel_distance(generated=randn(15, 3), real=randn(20, 3), subsets=3) for _ in range(200)])
    assert values.min() < 0 < values.max()
    assert values.mean().abs() < 4 * values.std() / 200**0.5


def test_kernel_distance_is_its_seed_and_leaves_the_global_one_alone(randn):
    generated, real = randn(10, 3), randn(30, 3)
    state = torch.get_rng_state()
    values = [kernel_distance(generated=generated, real=real, subsets=3, seed=seed) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert torch.equal(state, torch.get_rng_state())


def test_kernel_distance_does_not_mind_rotation(randn):
    generated, real = randn(12, 5), randn(15, 5) + 1
    turn = torch.linalg.qr(randn(5, 5)).Q
    plain = kernel_distance(generated=generated, real=real)
    assert kernel_distance(generated=generated @ turn, real=real @ turn) == pytest.approx(plain, rel=1e-4)
    assert kernel_distance(generated=generated + 1, real=real) < plain


@pytest.mark.parametrize("options", [{"subset_size": 1}, {"subset_size": 6}, {"subsets": 0}])
def test_impossible_subsets_are_refused(randn, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must .* got {next(iter(options.values()))}"):
        kernel_distance(generated=randn(5, 2), real=randn(9, 2), **options)


def test_embedding_distance_by_hand(device):
    generated = torch.tensor([[2.0, 0], [0, 5], [3, 0]], device=device)
    real = torch.tensor([[0, 1.0], [-7, 0], [0, 2], [0, 9]], device=device)
    labels = torch.tensor([0, 0, 4]), torch.tensor([4, 4, 0, 0])
    found = embedding_distance(generated=generated, real=real, generated_labels=labels[0], real_labels=labels[1])
    # class 0: (½, ½) to (0, 1); class 4: (1, 0) to (-½, ½)
    assert found == pytest.approx((math.sqrt(0.5) + math.sqrt(2.5)) / 2)


def test_embedding_distance_knows_directions_only(randn):
    rows, labels = randn(12, 5), torch.arange(12) % 3
    turn = torch.linalg.qr(randn(5, 5)).Q

    def distance(generated, real):
        return embedding_distance(generated=generated, real=real, generated_labels=labels, real_labels=labels)

    other = randn(12, 5)
    assert distance(rows, rows * (1 + torch.arange(12.0)[:, None])) == pytest.approx(0, abs=1e-6)
    assert distance(rows @ turn, other @ turn) == pytest.approx(distance(rows, other), rel=1e-5)
    assert 0 < distance(rows, other) == distance(other, rows) <= 2


def test_per_class_is_the_metric_of_every_class_alone(randn):
    generated, real = randn(8, 3), randn(12, 3)
    labels = {"generated_labels": torch.arange(8) % 2 * 5, "real_labels": torch.arange(12) // 6 * 5}
    found = per_class(partial(mmd, bandwidth=2.0), generated=generated, real=real, **labels)
    assert found == {
        0: mmd(generated=generated[::2], real=real[:6], bandwidth=2.0),
        5: mmd(generated=generated[1::2], real=real[6:], bandwidth=2.0),
    }


def test_classes_of_one_set_only_are_refused(randn):
    labels = {"generated_labels": torch.tensor([0, 1]), "real_labels": torch.tensor([0, 2, 0])}
    with pytest.raises(ValueError, match=r"must hold the same classes; got \[1, 2\]"):
        per_class(mmd, generated=randn(2, 3), real=randn(3, 3), **labels)


def unchecked(function):
    """Without the shapes' own check, which users do not run."""
    return inspect.unwrap(function)


def test_labels_that_are_not_one_per_row_are_refused(randn):
    labels = {"generated_labels": torch.tensor([0, 0]), "real_labels": torch.tensor([0, 0])}
    with pytest.raises(ValueError, match="must hold one label per row, 2 and 3; got 2 and 2"):
        unchecked(per_class)(mmd, generated=randn(2, 3), real=randn(3, 3), **labels)


@pytest.mark.parametrize("metric", [frechet_distance, kernel_distance])
def test_distances_refuse_single_rows_and_different_widths(randn, metric):
    with pytest.raises(ValueError, match="need at least 2 rows; got 1 and 5"):
        metric(generated=randn(1, 3), real=randn(5, 3))
    with pytest.raises(ValueError, match="features of one width; got 3 and 4"):
        unchecked(metric)(generated=randn(5, 3), real=randn(5, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_distances_take_any_dtype_and_compute_in_float64(randn, dtype):
    generated, real = randn(12, 3).to(dtype), randn(12, 3).to(dtype)
    for metric in (frechet_distance, kernel_distance, mmd):
        assert metric(generated=generated, real=real) == metric(generated=generated.double(), real=real.double())


def test_without_torchmetrics_the_remedy_is_named(randn, monkeypatch):
    for module in ("torchmetrics.image.fid", "torchmetrics.image.kid"):
        monkeypatch.setitem(sys.modules, module, None)
    for metric in (frechet_distance, kernel_distance):
        with pytest.raises(ImportError, match=f"{metric.__name__} needs torchmetrics: pip install torchmetrics"):
            metric(generated=randn(5, 3), real=randn(5, 3))
    with pytest.raises(ImportError, match="pip install torchmetrics torch-fidelity"):
        inception_features(randn(2, 3, 8, 8))


def test_without_torch_fidelity_the_remedy_is_named(randn, monkeypatch):
    monkeypatch.setattr("torchmetrics.image.fid._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(ImportError, match="pip install torchmetrics torch-fidelity"):
        inception_features(randn(2, 3, 8, 8))


class Network(torch.nn.Module):
    """In place of Inception-v3: gives the pixels it was shown, padded, and notes the sizes of its batches."""

    batches: ClassVar = []
    made: ClassVar = []

    def __init__(self, name, features_list):
        super().__init__()
        self.made.append(self)
        assert (name, features_list) == ("inception-v3-compat", ["2048"])

    def forward(self, images):
        assert images.dtype == torch.uint8
        self.batches.append(tuple(images.shape))
        return torch.nn.functional.pad(images.flatten(1).float(), (0, 2048 - images[0].numel()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_inception_is_shown_bytes_of_three_channels_in_batches(monkeypatch, device, dtype):
    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Network)
    monkeypatch.setattr(Network, "batches", [])
    monkeypatch.setattr(Network, "made", [])
    images = torch.tensor([-1.0, 1, 0.25, -3, 3], dtype=dtype, device=device).view(5, 1, 1, 1).expand(-1, -1, 2, 2)
    found = inception_features(images, batch_size=2)
    assert found.shape == (5, 2048) and found.device.type == device.type
    assert Network.batches == [(2, 3, 2, 2), (2, 3, 2, 2), (1, 3, 2, 2)]
    assert found[:, :12].tolist() == [[value] * 12 for value in (0, 255, 159, 0, 255)]
    assert inception_features(images).shape == (5, 2048) and len(Network.made) == 1  # built once
    colors = torch.tensor([-1.0, 0.25, 1], device=device).view(1, 3, 1, 1)
    assert inception_features(colors)[0, :3].tolist() == [0, 159, 255]


def test_bytes_are_those_that_the_images_were_read_from(monkeypatch):
    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Network)
    read = images.from_uint8(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16))
    assert torch.equal(inception_features(read)[0, :256], torch.arange(256.0))


def test_latents_are_no_images(randn):
    with pytest.raises(ValueError, match="images must have 1 or 3 channels; got 4"):
        inception_features(randn(2, 4, 8, 8))


@pytest.mark.parametrize("function", [None, lambda images: images.mean(-1)])
@pytest.mark.parametrize("batch_size", [1, 5, 500])
def test_features_of_a_set_are_those_of_its_images(kept, function, batch_size):
    as_bytes, numbers = (fidelity.feature_rows(one.train, function, batch_size=batch_size) for one in kept)
    assert torch.equal(as_bytes, numbers)
    assert torch.equal(as_bytes, fidelity.feature_rows(kept[1].train.images, function, batch_size=batch_size))
