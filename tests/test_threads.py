"""Tiny work has one thread, and gives it back; so its results do not depend on how many threads torch may use."""

import contextlib
import threading
from types import SimpleNamespace

import pytest
import tiny as tiny_pipelines
import torch
from torch import nn

from mgd_helpers import threads
from mgd_helpers.clustering.bisecting import bisect, bisect_classes
from mgd_helpers.encoding.latents import decode, encode
from mgd_helpers.students.networks import build
from mgd_helpers.students.training import Recipe, accuracy, soft_labels, train_student, train_students

TINY, LARGE = 1e6, 1e12


@pytest.fixture(autouse=True)
def three():
    """The number a user has set; given back after a test, whatever the test did."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def in_context(context):
    with context:
        found = torch.get_num_threads()
    assert torch.get_num_threads() == 3
    return found


# --- the number is lowered, and given back ----------------------------------------------------------------------------


def test_tiny_work_has_one_thread_and_large_work_all():
    assert in_context(threads.as_many_as_useful(TINY)) == 1
    assert in_context(threads.as_many_as_useful(LARGE)) == 3


@pytest.mark.parametrize("work", [TINY, LARGE])
def test_a_number_that_a_user_has_set_is_never_raised(work):
    torch.set_num_threads(1)
    with threads.as_many_as_useful(work):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("device", ["cuda", torch.device("cuda:1"), "meta"])
def test_other_devices_are_left_alone(device):
    assert in_context(threads.as_many_as_useful(TINY, device=device)) == 3


def test_the_number_comes_back_after_an_exception():
    with pytest.raises(ZeroDivisionError), threads.as_many_as_useful(TINY):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == 3


def test_contexts_may_be_nested():
    with threads.as_many_as_useful(TINY):
        for work in (TINY, LARGE):
            with threads.as_many_as_useful(work):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


def test_generators_that_are_left_out_of_order_give_it_back_with_the_last():
    def working():
        with threads.as_many_as_useful(TINY):
            yield
            yield

    first, second = working(), working()
    next(first), next(second)
    first.close()
    assert torch.get_num_threads() == 1, "the second still works"
    next(second)
    second.close()
    assert torch.get_num_threads() == 3


def test_each_thread_of_python_has_its_own():
    found = []

    def work():
        torch.set_num_threads(2)
        with threads.as_many_as_useful(TINY):
            found.append(torch.get_num_threads())
        found.append(torch.get_num_threads())

    with threads.as_many_as_useful(TINY):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [1, 2] and torch.get_num_threads() == 3


# --- the rule ---------------------------------------------------------------------------------------------------------


def counted(network, *inputs, **options):
    """The mean multiply-adds of a layer with weights in one call, counted."""
    found = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: found.append(out.numel() * layer.weight[0].numel()))
        for layer in network.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    with torch.no_grad():
        network(*inputs, **options)
    for hook in hooks:
        hook.remove()
    return sum(found) / len(found)


@pytest.fixture
def estimated(monkeypatch):
    """What a context is asked for, in multiply-adds."""
    asked = []

    def noted(multiply_adds, **_):
        asked.append(multiply_adds)
        return contextlib.nullcontext()

    def of(ask):
        with monkeypatch.context() as patch:
            patch.setattr(threads, "as_many_as_useful", noted)
            ask()
        return asked.pop()

    return of


def close(estimate, exact):
    return exact / 4 < estimate < exact * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "width", "side"),
    [("convnet3", 16, 16), ("convnet3", 128, 32), ("convnet6", 128, 128), ("resnet18", 64, 32), ("resnetap10", 64, 64)],
)
def test_the_estimate_of_a_student_is_near_the_count(network, width, side, estimated):
    student = build(network, channels=3, n_classes=10, image_size=side, width=width).to("meta")
    images = torch.empty(5, 3, side, side, device="meta")
    assert close(estimated(lambda: threads.for_training(student, images, rows=5)), counted(student, images))


@pytest.mark.parametrize("widths", [(16, 32, 32, 32), (128, 256, 512, 512)])
def test_the_estimate_of_a_vae_is_near_the_count(widths, estimated):
    with torch.device("meta"):
        vae = tiny_pipelines.imagenet_vae(*widths, groups=8)
        images, latents = torch.empty(2, 3, 256, 256), torch.empty(2, 4, 32, 32)
        exact = counted(vae.encoder, images), counted(vae.decoder, latents)
    assert close(estimated(lambda: threads.for_encoding(vae, images)), exact[0])
    assert close(estimated(lambda: threads.for_decoding(vae, latents)), exact[1])


def test_the_estimate_of_a_denoiser_is_near_the_count(tiny, estimated):
    with torch.device("meta"):
        tiny.transformer = tiny_pipelines.imagenet_dit()
        exact = counted(
            tiny.transformer, torch.empty(2, 4, 32, 32), timestep=torch.zeros(2), class_labels=torch.zeros(2).long()
        )
    assert close(estimated(lambda: threads.for_sampling(tiny, 2)), exact)


def test_a_u_net_counts_too_and_a_denoiser_of_unknown_size_is_left_alone():
    from diffusers import DDIMScheduler

    for name in ("StableDiffusionPipeline", "DDIMPipeline"):
        assert in_context(threads.for_sampling(tiny_pipelines.KINDS[name].build(DDIMScheduler()), 4)) == 1
    assert in_context(threads.for_sampling(tiny_pipelines.flux(None), 1)) == 3
    assert in_context(threads.for_sampling(SimpleNamespace(device=torch.device("cpu")), 1)) == 3


def test_who_gets_one_thread(tiny):
    """Sizes that were measured beside other work (book/performance.md)."""
    from mgd_helpers import load_pipeline

    digits = load_pipeline("digits", device="cpu")
    for rows in (1, 10, 64, 200):
        assert in_context(threads.for_sampling(digits, rows)) == 1
        assert in_context(threads.for_encoding(digits.vae, torch.empty(rows, 1, 32, 32))) == 1
    for width, batch, side, expected in [(16, 50, 16, 1), (32, 50, 32, 1), (32, 256, 32, 1), (128, 256, 32, 3)]:
        student = build("convnet3", channels=3, n_classes=10, image_size=side, width=width)
        assert in_context(threads.for_training(student, torch.empty(1, 3, side, side), rows=batch)) == expected
    seen = threads.for_rows(lambda rows: torch.get_num_threads())
    assert [seen(torch.empty(*shape)) for shape in [(150, 256), (5000, 256), (5000, 64, 64)]] == [1, 1, 3]
    assert [seen([torch.empty(500, 16, 16)] * 10), seen([torch.empty(5000, 1024)] * 10), seen([])] == [1, 3, 1]
    assert seen(rows=torch.empty(150, 256)) == 1


# --- where it counts --------------------------------------------------------------------------------------------------


def on_both(work):
    """What work gives with one thread, and with two."""
    found = []
    for count in (1, 2):
        torch.set_num_threads(count)
        found.append(work())
        assert torch.get_num_threads() == count
    torch.set_num_threads(3)
    return found


def the_same(one, other):
    return len(one) == len(other) > 0 and all(map(torch.equal, one, other))


@pytest.fixture
def seen(monkeypatch):
    """The numbers of threads that layers with weights were called with."""
    found = set()
    for kind in (nn.Linear, nn.Conv2d):
        forward = kind.forward

        def spied(self, *inputs, forward=forward):
            found.add(torch.get_num_threads())
            return forward(self, *inputs)

        monkeypatch.setattr(kind, "forward", spied)
    return found


def test_images_are_those_of_any_number_of_threads(seen):
    from mgd_helpers import load_pipeline, seeding

    pipe = load_pipeline("digits", device="cpu")

    def images():
        with threads.for_sampling(pipe, 6):
            generators = seeding.generators(0, 3, range(3))
            made = pipe(
                class_labels=[3] * 3, generator=generators, num_inference_steps=3, output_type="np", guidance_scale=2
            )
        return [torch.from_numpy(made.images)]

    assert the_same(*on_both(images)) and seen == {1}


def test_latents_and_what_is_decoded_are_those_of_any_number_of_threads(tiny, waves, seen):
    latents = on_both(lambda: [encode(tiny.vae, waves.train.images)])
    assert the_same(*latents) and seen == {1}
    assert the_same(*on_both(lambda: [decode(tiny.vae, latents[0][0])])) and seen == {1}


def test_students_are_those_of_any_number_of_threads(waves, seen):
    recipe, few = Recipe(steps=4, batch_size=8, width=16), waves.train
    options = {"n_classes": 2, "recipe": recipe}
    for work in (
        lambda: train_student(few.images, few.labels, **options).parameters(),
        lambda: train_students(few.images, few.labels, seeds=[0, 1], together=2, **options)[1].parameters(),
    ):
        assert the_same(*on_both(lambda work=work: [weight.detach().clone() for weight in work()]))
    assert seen == {1}
    student = train_student(few.images, few.labels, **options)
    assert the_same(*on_both(lambda: [soft_labels(student, few.images)]))
    assert len(set(on_both(lambda: accuracy(student, few.images, few.labels)))) == 1 and seen == {1}


@pytest.mark.parametrize("space", ["raw", "pca"])
def test_trees_are_those_of_any_number_of_threads(randn, space):
    latents = randn(600, 256)

    def trees():
        one = bisect(latents, n_leaves=12, space=space)
        several = bisect_classes([latents[:300], latents[300:]], n_leaves=5, space=space)
        return [part for tree in (one, *several) for part in (tree.centroids, tree.inertias, *tree.members)]

    assert the_same(*on_both(trees))


def test_the_number_comes_back_where_the_work_is_refused(tiny, randn):
    for work in (lambda: bisect(randn(3, 2), n_leaves=5), lambda: bisect_classes([randn(3, 2)], n_leaves=5)):
        with contextlib.suppress(ValueError):
            work()
        assert torch.get_num_threads() == 3
