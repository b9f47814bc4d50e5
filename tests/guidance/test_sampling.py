import warnings
from pathlib import Path

import diffusers
import numpy as np
import pytest
import tiny as kinds
import torch

from mgd_helpers.encoding import batching, memory
from mgd_helpers.encoding.latents import encode
from mgd_helpers.guidance import sampling
from mgd_helpers.guidance.pulls import ManifoldPull, ModePull
from mgd_helpers.guidance.sampling import sample
from mgd_helpers.guidance.steering import steer
from mgd_helpers.guidance.toys import tiny_pipeline
from mgd_helpers.guidance.windows import window
from mgd_helpers.seeding import generators

LATENT, STEPS = (4, 8, 8), 4
GREY = 1.01 / 127.5  # one grey level


@pytest.fixture
def targets(randn):
    return randn(3, *LATENT)


def by_hand(pipe, label, images, guidance, *, scale=4.0):
    """What a loop over classes does: the stock pipeline, steered, one generator for each image."""
    one_each = generators(0, label, images)
    with steer(pipe, guidance, generators=one_each):
        found = pipe(
            class_labels=[label] * len(images),
            generator=one_each,
            num_inference_steps=STEPS,
            guidance_scale=scale,
            output_type="np",
        ).images
    return torch.from_numpy(found).movedim(-1, 1) * 2 - 1


def test_one_class_is_the_steered_pipeline(sampled, targets):
    for guidance in (None, ModePull(targets)):
        found = sample(sampled, [1, 1, 1], guidance=guidance, steps=STEPS, guidance_scale=4.0)
        torch.testing.assert_close(found, by_hand(sampled, 1, range(3), guidance), rtol=0, atol=1e-6)


def test_classes_go_together_and_each_guidance_sees_its_own_images(tiny, randn):
    targets, seen, forward = {0: randn(2, *LATENT), 1: randn(3, *LATENT)}, [], tiny.transformer.forward
    tiny.transformer.forward = lambda rows, **options: seen.append(len(rows)) or forward(rows, **options)
    guidance = {label: ModePull(own) for label, own in targets.items()}
    found = sample(tiny, [0, 1, 1, 0, 1], guidance=guidance, steps=STEPS, guidance_scale=4.0)
    assert seen == [10] * STEPS  # one call for both classes, doubled by classifier-free guidance
    torch.testing.assert_close(found[[0, 3]], by_hand(tiny, 0, range(2), guidance[0]), rtol=0, atol=1e-5)
    torch.testing.assert_close(found[[1, 2, 4]], by_hand(tiny, 1, range(3), guidance[1]), rtol=0, atol=1e-5)


def test_a_class_without_guidance_is_unguided(tiny, randn):
    plain = sample(tiny, [0, 0, 1, 1], steps=STEPS)
    found = sample(tiny, [0, 0, 1, 1], guidance={1: ModePull(randn(2, *LATENT)), 0: None}, steps=STEPS)
    assert torch.equal(found[:2], plain[:2])
    assert (found[2:] - plain[2:]).abs().amax((1, 2, 3)).min() > 1e-3
    assert torch.equal(sample(tiny, [0, 0, 1, 1], guidance={0: None, 1: None}, steps=STEPS), plain)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [diffusers.DDIMScheduler, diffusers.DDPMScheduler])
@pytest.mark.parametrize("guided", [False, True])
def test_the_split_changes_an_image_by_rounding_at_most(randn, scheduler, guided):
    pipe, cloud = tiny_pipeline(scheduler(clip_sample=False)), randn(30, *LATENT)
    guidance = (
        {label: window(ManifoldPull(randn(4, *LATENT), cloud), below=0.99) for label in (0, 1)} if guided else None
    )
    asked = [0, 1, 1, 0, 1, 0, 0, 1]
    whole = sample(pipe, asked, guidance=guidance, steps=STEPS)
    for size in (1, 3, 5):
        found = sample(pipe, asked, guidance=guidance, steps=STEPS, batch_size=size)
        torch.testing.assert_close(found, whole, rtol=0, atol=GREY)
    assert torch.equal(sample(pipe, asked, guidance=guidance, steps=STEPS), whole)


def test_a_set_is_seen_whole_at_every_step_though_the_networks_take_few_at_once(tiny):
    seen, rows, decoded = [], [], []
    forward, decode = tiny.transformer.forward, tiny.vae.decode

    def centre(denoised, level):
        seen.append(len(denoised))
        return denoised + 0.5 * (denoised.mean(0) - denoised)

    tiny.transformer.forward = lambda x, **options: rows.append(len(x)) or forward(x, **options)
    tiny.vae.decode = lambda x, *args, **options: decoded.append(len(x)) or decode(x, *args, **options)
    found = sample(tiny, [1] * 7, guidance=centre, steps=STEPS, batch_size=3)
    assert seen == [7] * STEPS
    assert max(rows) <= 2 * 3 and sum(rows) == 14 * STEPS
    assert max(decoded) <= 3 and sum(decoded) == 7
    torch.testing.assert_close(found, sample(tiny, [1] * 7, guidance=centre, steps=STEPS), rtol=0, atol=GREY)
    seen.clear()
    sample(tiny, [0, 1] * 4, guidance={0: centre, 1: centre}, steps=1, batch_size=3)
    assert seen == [4, 4]  # whole classes, one after the other


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline"])
def test_images_may_ask_for_other_things_than_labels(kind):
    tall = {"prompt_embeds": 4, "negative_prompt_embeds": -4}
    flat = {"pooled_prompt_embeds": 2, "negative_pooled_prompt_embeds": -2}
    names = tall | (flat if "XL" in kind or "3" in kind else {})

    def entry(number):
        randn = torch.Generator().manual_seed(number)
        return {name: torch.randn(*((4,) if name in tall else ()), kinds.WIDTH, generator=randn) for name in names}

    scheduler = (
        diffusers.FlowMatchEulerDiscreteScheduler()
        if kinds.KINDS[kind].prediction == "flow_prediction"
        else diffusers.DDIMScheduler(clip_sample=False, steps_offset=1)
    )
    pipe = kinds.make(kind, scheduler)
    entries = [entry(0), entry(1), entry(2)]
    targets = torch.randn(3, *kinds.KINDS[kind].latent, generator=torch.Generator().manual_seed(3))
    options = {"steps": STEPS, "guidance_scale": 3.0}
    latents = sample(pipe, entries, guidance=ModePull(targets, strength=1.0), output="latents", **options)
    torch.testing.assert_close(latents, targets, rtol=0, atol=1e-4)
    images = sample(pipe, entries, guidance=ModePull(targets), **options)
    assert images.shape == (3, 3, 8 * 2, 8 * 2) if pipe.vae.config.sample_size == 16 else images.ndim == 4
    assert images.min() >= -1 and images.max() <= 1
    split = sample(pipe, entries, guidance=ModePull(targets), batch_size=2, **options)
    torch.testing.assert_close(split, images, rtol=0, atol=GREY)


def test_flux_positions_are_not_taken_for_rows():
    pipe = kinds.make("FluxPipeline", diffusers.FlowMatchEulerDiscreteScheduler())
    rows = kinds.words(4)  # four tokens, and four images
    entries = [{"prompt_embeds": rows[0], "pooled_prompt_embeds": kinds.words(4, pooled=True)[0]} for _ in range(4)]
    keys = [(0, image) for image in range(4)]
    pipe.default_sample_size = kinds.SIZE

    def still(denoised, level):
        return denoised.clone()

    whole = sample(pipe, entries, guidance=still, keys=keys, steps=2, output="latents")
    split = sample(pipe, entries, guidance=still, keys=keys, steps=2, output="latents", batch_size=3)
    torch.testing.assert_close(split, whole, rtol=1e-3, atol=1e-3)


def test_pixel_models_need_no_condition():
    pipe = kinds.make("DDPMPipeline", diffusers.DDPMScheduler(clip_sample=False))
    targets = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5
    found = sample(pipe, [{}, {}, {}], guidance=ModePull(targets, strength=1.0), steps=STEPS)
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-5)


def test_latents_come_out_as_encode_makes_them(tiny, targets):
    found = sample(tiny, [0, 1, 1], guidance=ModePull(targets, strength=1.0), steps=STEPS, output="latents")
    torch.testing.assert_close(found, targets, rtol=0, atol=1e-5)
    assert found.dtype == torch.float32


def test_other_entries_are_one_class_where_they_ask_for_the_same():
    words, array = torch.ones(2), np.ones(2)
    entries = [
        {"prompt": "a"},
        {"prompt": "b"},
        {"prompt": "a"},
        {"prompt": words},
        {"prompt": array},
        {"prompt": words},
    ]
    assert sampling._default_keys(entries) == [(0, 0), (1, 0), (0, 1), (3, 0), (4, 0), (3, 1)]


def test_classes_of_a_call_that_lack_a_guidance_are_no_cause_for_a_warning(tiny, randn):
    with warnings.catch_warnings(action="error"):
        sample(tiny, [0, 0, 1, 1, 1], guidance={0: ModePull(randn(2, *LATENT))}, batch_size=2, steps=2)


def test_an_image_is_known_by_its_key(tiny):
    whole = sample(tiny, [0, 1, 0, 1], steps=STEPS)
    keys = [(1, 1), (0, 0)]
    found = sample(tiny, [1, 0], keys=keys, steps=STEPS)
    torch.testing.assert_close(found, whole[[3, 0]], rtol=0, atol=GREY)
    assert (sample(tiny, [1, 0], keys=keys, seed=1, steps=STEPS) - found).abs().max() > 0.01
    with pytest.raises(ValueError, match="keys must be one for each of the 2 images; got 1"):
        sample(tiny, [1, 0], keys=[(0, 0)])


def test_the_batch_that_the_memory_held_is_kept(tiny, monkeypatch):
    forward, seen = tiny.transformer.forward, []

    def small(rows, **options):
        seen.append(len(rows))
        if len(rows) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(rows, **options)

    tiny.transformer.forward = small
    said = []
    monkeypatch.setattr(memory, "tell", said.append)
    sample(tiny, [0] * 16, steps=1, batch_size=4)
    assert said == ["CUDA out of memory; going on with batch_size=2."]
    assert seen == [8] + [4] * 8  # no step is made anew


def test_numpy_numbers_and_tensors_are_numbers(tiny):
    plain = sample(tiny, [0, 1], steps=2)
    for asked in (np.array([0, 1]), torch.tensor([0, 1]), [np.int64(0), torch.tensor(1)]):
        assert torch.equal(sample(tiny, asked, steps=np.int64(2), seed=np.int32(0), batch_size=np.int64(8)), plain)


def test_pipeline_and_scheduler_come_back_also_after_an_error(tiny):
    before = {part: dict(vars(getattr(tiny, part))) for part in ("scheduler", "transformer", "vae")}

    def fails(denoised, level):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        sample(tiny, [0] * 5, guidance=fails, batch_size=2)
    for part in before:
        assert vars(getattr(tiny, part)).keys() == before[part].keys(), part


def test_where_memory_is_short_the_batch_is_halved_and_the_images_stay(tiny, randn):
    guidance = {label: window(ManifoldPull(randn(4, *LATENT), randn(30, *LATENT)), below=0.99) for label in (0, 1)}
    plain = sample(tiny, [0, 1] * 4, guidance=guidance, steps=STEPS)
    forward, decode, rows_decoded = tiny.transformer.forward, tiny.vae.decode, []

    def small(rows, **options):
        if len(rows) > 6:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much")
        return forward(rows, **options)

    def smaller(latents, **options):
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        rows_decoded.append(len(latents))
        return decode(latents, **options)

    tiny.transformer.forward, tiny.vae.decode = small, smaller
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sample(tiny, [0, 1] * 4, guidance=guidance, steps=STEPS)
    torch.testing.assert_close(found, plain, rtol=0, atol=GREY)  # the sets saw all their images at every step
    assert rows_decoded == [1] * 8
    assert (tiny.transformer.forward, tiny.vae.decode) == (small, smaller)


def test_a_single_image_that_the_memory_does_not_hold_is_told_with_the_remedy(tiny):
    def none(rows, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate much")

    tiny.transformer.forward = none
    with pytest.raises(
        torch.OutOfMemoryError, match=r"^CUDA out of memory, with a single image at once\. Free the GPU"
    ):
        sample(tiny, [0, 1], steps=1)


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_images_that_are_not_finite_do_not_come_out(tiny, part):
    next(getattr(tiny, part).parameters()).data.fill_(torch.nan)
    next(reversed(list(getattr(tiny, part).parameters()))).data.fill_(torch.nan)
    with pytest.raises(ValueError, match=r"NaN or infinite values, and no image of this call is kept\. Check its weig"):
        sample(tiny, [0, 1], steps=2)


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        ([], {}, "asked must hold one entry for each image; got none"),
        ([1000], {}, "asked must be a whole number from 0 to 999; got 1000"),  # the null class
        ([-1], {}, "asked must be a whole number from 0 to 999; got -1"),
        ([0.5], {}, "asked must be a whole number"),
        ([{"class_labels": 1000}], {}, "asked must be a whole number from 0 to 999; got 1000"),
        ([{"class_labels": 1, "num_inference_steps": 2}], {}, r"asked must leave \['num_inference_steps'\] to the arg"),
        (["cat"], {}, r"for text pass \{'prompt': 'cat'\}"),
        ([0, {"prompt": "a"}], {}, "asked must hold entries of one kind"),
        ([{"prompt": "a"}], {}, r"pipe must take \['prompt'\]; DiTPipeline does not"),
        ([0], {"steps": 0}, "steps must be a whole number >= 1; got 0"),
        ([0], {"batch_size": 0}, "batch_size must be a whole number >= 1; got 0"),
        ([0], {"guidance_scale": float("nan")}, "guidance_scale must be a number >= 0; got nan"),
        ([0], {"guidance_scale": -1.0}, "guidance_scale must be a number >= 0; got -1"),
        ([0], {"output": "image"}, "output must be one of images, latents; got 'image'. Did you mean 'images'"),
        ([0], {"keys": [(0, -1)]}, "keys must be a whole number >= 0; got -1"),
        ([0], {"guidance": {3: lambda x, level: x}}, r"guidance must be for classes that .*, \[0\]; not \[3\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny, asked, options, message):
    with pytest.raises(ValueError, match=message):
        sample(tiny, asked, **options)


@pytest.mark.parametrize(("name", "value"), [("seed", 1.5), ("seed", None), ("steps", 2.5), ("batch_size", "8")])
def test_numbers_that_are_none_are_refused_by_name(tiny, unchecked, name, value):
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        unchecked(sample)(tiny, [0], **{name: value})


def test_there_is_one_place_that_calls_a_pipeline():
    """Every other loop over images would have its own generators, batches and faults.

    Two look at the steps of a bare pipeline: the check that a reader's own loop equals it, and the film of one image.
    Lab 12 shows what `sample` does around a pipeline, and that it gives the same.
    """
    root = Path(batching.__file__).parents[2]
    of_steps = ["mgd_helpers/lab/checks/encode_loop.py", "tools/animations/noise.py", "notebooks/12_photographs.ipynb"]
    found = [
        (file.relative_to(root), line)
        for folder in ("mgd_helpers", "studies", "tools", "benchmarks", "notebooks", "book")
        for file in sorted((root / folder).rglob("*"))
        if file.suffix in (".py", ".ipynb", ".md")
        for line in file.read_text().splitlines()
        if "num_inference_steps=" in line or '"num_inference_steps":' in line
    ]
    assert [str(file) for file, _ in found] == ["mgd_helpers/guidance/sampling.py", *of_steps]


def test_encoding_what_was_sampled_leads_back(digits):
    import mgd_helpers as mgd

    pipe = mgd.load_pipeline("digits")
    images, latents = (sample(pipe, [3, 5], steps=5, guidance_scale=1.5, output=kind) for kind in ("images", "latents"))
    assert (encode(pipe.vae, images) - latents).abs().mean() < 0.2 * latents.abs().mean()
