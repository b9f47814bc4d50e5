"""Many images under a guidance: one generator for each, classes together in one batch, sets in lockstep.

A guidance sees all images that it is for at every step, while the networks take them in batches that fit the memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from numbers import Integral, Real
from typing import Any

import torch

from mgd_helpers import arguments, seeding
from mgd_helpers._shapes import Float, Tensor
from mgd_helpers.encoding.batching import alone, in_batches, latents_decoded
from mgd_helpers.encoding.callers import is_dit
from mgd_helpers.encoding.compatibility import count_classes
from mgd_helpers.encoding.memory import BatchSize
from mgd_helpers.encoding.pipelines import Pipeline
from mgd_helpers.guidance.late_start import late_start
from mgd_helpers.guidance.per_class import PerClass
from mgd_helpers.guidance.pulls import Guidance
from mgd_helpers.guidance.steering import steer
from mgd_helpers.progress import progress
from mgd_helpers.threads import for_sampling


def sample(
    pipe: Pipeline,
    asked: Any,
    *,
    guidance: Guidance | Mapping[Any, Guidance | None] | None = None,
    keys: Sequence[tuple[int, int]] | None = None,
    seed: int | Integral = 0,
    steps: int | Integral = 50,
    guidance_scale: float | Real | None = None,
    cfg_channels: int | None = None,
    batch_size: int | Integral = 32,
    output: str = "images",
    start: Float[Tensor, "n ..."] | None = None,
    image_to_image: float | Real = 1.0,
) -> Float[Tensor, "n ..."]:
    """Sample one image for each entry of `asked`: [N, C, H, W] in [-1, 1], float32, on the CPU.

    An entry is a class label, or a mapping of the pipeline's own keywords for one image, such as
    `{"prompt": "a red fox"}` (`{}` for a pipeline without conditions). `guidance` is one for all images, which sees
    them in the order of `asked`, or a mapping {class: guidance or `None`}, each of which sees the images of its class.
    `guidance_scale` is classifier-free guidance, by default the pipeline's own; `cfg_channels` as in `steer`.
    `output="latents"` gives what the decoder is handed, scaled as `encode` scales (packed for Flux), in place of
    images.

    `start` has a sample for each image, as the pipeline denoises it: only the last `image_to_image` of the steps are
    taken, from there under the noise of their level.

    `keys`, (class, image) pairs, name the images: the generator of each is `seeding.generator(seed, class, image)`. By
    default the class is the label, or for other entries the position of the first equal one; images count up within.

    Images that a guidance must see together are denoised in lockstep, others `batch_size` at once. Denoiser and decoder
    never take more than `batch_size` images at once (each in two rows, under classifier-free guidance). Where a GPU
    runs out of memory there, they go on with half as many, and say so in a line; what has been made is kept. Text
    encoders and the guidance see all images of a call: of what they take no batch can be made smaller.

    The same `asked`, `keys` and `batch_size` give the same images to the bit. Another split, order or company moves
    them by rounding, as a rule by at most one grey level; other machines, dtypes and versions of torch by more.
    Threads that sample with the same networks take turns.

    Raises `ValueError` for settings that do not fit, and where what comes out is not finite.

    >>> from mgd_helpers.guidance.toys import tiny_pipeline
    >>> sample(tiny_pipeline(), [0, 1, 1], steps=2).shape   # an image of one class, two of another
    torch.Size([3, 1, 16, 16])
    """
    entries = _entries(pipe, asked)
    keys = _default_keys(entries) if keys is None else [_key(key) for key in keys]
    if len(keys) != len(entries):
        raise ValueError(f"keys must be one for each of the {len(entries)} images; got {len(keys)}.")
    seed, steps = arguments.whole("seed", seed, at_least=0), arguments.whole("steps", steps, at_least=1)
    batch_size = arguments.whole("batch_size", batch_size, at_least=1)
    arguments.one_of("output", output, ("images", "latents"))
    share = arguments.number("image_to_image", image_to_image, above=0, at_most=1)
    if start is not None and len(start) != len(entries):
        raise ValueError(f"start must have a row for each of the {len(entries)} images; got {len(start)}.")
    options: dict[str, Any] = {"num_inference_steps": steps}
    if guidance_scale is not None:
        options["guidance_scale"] = arguments.number("guidance_scale", guidance_scale, at_least=0)
    parameters = inspect.signature(pipe.__call__).parameters
    if unknown := [name for name in options | entries[0] if name not in parameters]:
        raise ValueError(f"pipe must take {unknown}; {type(pipe).__name__} does not. It takes {list(parameters)}.")
    classes = [key[0] for key in keys]
    if isinstance(guidance, Mapping):
        if odd := [one for one in guidance if one not in classes]:
            raise ValueError(f"guidance must be for classes that are asked for, {sorted(set(classes))}; not {odd}.")
        guidance = {one: own for one, own in guidance.items() if own is not None} or None
    latents = output == "latents"
    found: dict[int, Tensor] = {}
    at_once = BatchSize(batch_size)
    groups = _in_lockstep(classes, guidance, batch_size)
    for rows in progress(groups, "sample", unit="call") if len(groups) > 1 else groups:
        own: Any = guidance
        here = [classes[row] for row in rows]
        if isinstance(guidance, Mapping):
            own = PerClass(guidance, here) if any(one in guidance for one in here) else None
        generators = [seeding.generator(seed, *keys[row]) for row in rows]
        given = _keywords([entries[row] for row in rows], parameters) | options
        begin = None if start is None or share == 1 else (start[rows], share)
        made = _call(pipe, own, generators, given, cfg_channels, latents, at_once, begin)
        found |= dict(zip(rows, made, strict=True))
    return torch.stack([found[row] for row in range(len(entries))])


SIDES = ("height", "width")  # a pipeline takes one number for all images of a call
RESERVED = ("num_inference_steps", "guidance_scale", "generator", "output_type", "latents")  # no entry says these


def _in_lockstep(classes: Sequence[int], guidance: Any, batch_size: int) -> list[list[int]]:
    """The rows of each call: all under one guidance, else at most `batch_size`, but whole classes with their own."""
    if guidance is not None and not isinstance(guidance, Mapping):
        return [list(range(len(classes)))]
    units: dict[Any, list[int]] = {}
    for row, one in enumerate(classes):
        units.setdefault(one if guidance and one in guidance else (row, "alone"), []).append(row)
    groups: list[list[int]] = [[]]
    for rows in units.values():
        if groups[-1] and len(groups[-1]) + len(rows) > batch_size:
            groups.append([])
        groups[-1] += rows
    return [sorted(group) for group in groups]


def _call(
    pipe: Any,
    guidance: Guidance | None,
    generators: list[torch.Generator],
    given: dict,
    cfg_channels: int | None,
    latents: bool,
    batch_size: BatchSize,
    begin: tuple[Tensor, float] | None = None,
) -> Float[Tensor, "n ..."]:
    with ExitStack() as stack:
        stack.enter_context(alone(pipe))
        rows = 2 * min(len(generators), batch_size.images)  # classifier-free guidance takes two for each image
        stack.enter_context(for_sampling(pipe, rows))
        stack.enter_context(steer(pipe, guidance, generators=generators, cfg_channels=cfg_channels))
        stack.enter_context(in_batches(pipe, len(generators), batch_size))
        if begin is not None:
            stack.enter_context(late_start(pipe, *begin))
        if is_dit(pipe):  # it decodes whatever one asks for; what it hands to its decoder, and gets, is taken there
            decoded = stack.enter_context(latents_decoded(pipe, skip=latents))
            pipe(**given, generator=generators, output_type="pt")
            made = torch.cat(decoded)
        else:
            kind = "latent" if latents and hasattr(pipe, "vae") else "pt"
            made = pipe(**given, generator=generators, output_type=kind).images
            made = made if torch.is_tensor(made) else torch.as_tensor(made).movedim(-1, 1)
            made = made.float().cpu() if kind == "latent" else 2 * made.float().cpu() - 1
    if not torch.isfinite(made).all():
        raise ValueError(
            "the pipeline returned NaN or infinite values, and no image of this call is kept. Check its weights, its "
            "dtype (float16 overflows in some autoencoders; float32 does not), guidance_scale and the guidance."
        )
    return made if latents else made.clamp(-1, 1)


def _entries(pipe: Pipeline, asked: Any) -> list[dict]:
    """What each image asks of the pipeline, as keywords."""
    asked = asked.tolist() if hasattr(asked, "tolist") else list(asked)
    if not asked:
        raise ValueError("asked must hold one entry for each image; got none.")
    known = count_classes(pipe) if is_dit(pipe) else None
    entries, most = [], known and known - 1
    for one in asked:
        if isinstance(one, str):
            raise ValueError(
                f"asked must hold class labels or mappings of keywords; for text pass {{'prompt': {one!r}}}."
            )
        entry = dict(one) if isinstance(one, Mapping) else {"class_labels": one}
        if ours := [name for name in RESERVED if name in entry]:
            raise ValueError(f"asked must leave {ours} to the arguments of sample; got {list(entry)}.")
        if "class_labels" in entry:
            label = entry["class_labels"]
            label = label.item() if torch.is_tensor(label) else label
            entry["class_labels"] = arguments.whole("asked", label, at_least=0, at_most=most)
        entries.append(entry)
    if odd := [entry for entry in entries if set(entry) != set(entries[0])]:
        raise ValueError(f"asked must hold entries of one kind; got keywords {list(entries[0])} and {list(odd[0])}.")
    return entries


def _default_keys(entries: Sequence[dict]) -> list[tuple[int, int]]:
    """Labels are classes; of other entries the position of the first that asks for the same."""
    keys: list[tuple[int, int]] = []
    firsts: dict[tuple, int] = {}
    counts: dict[int, int] = {}
    for row, entry in enumerate(entries):
        own = entry["class_labels"] if set(entry) == {"class_labels"} else firsts.setdefault(_same(entry), row)
        keys.append((own, counts.get(own, 0)))
        counts[own] = counts.get(own, 0) + 1
    return keys


def _same(entry: dict) -> tuple:
    """Equal for entries that hold equal plain values, and the very same tensors and arrays."""
    plain = (str, bytes, int, float, bool, type(None))
    return tuple((name, value if isinstance(value, plain) else id(value)) for name, value in sorted(entry.items()))


def _key(key: Sequence) -> tuple[int, int]:
    if len(tuple(key)) != 2:
        raise ValueError(f"keys must be pairs (class, image); got {key!r}.")
    label, image = (arguments.whole("keys", part, at_least=0) for part in key)
    return label, image


def _keywords(entries: Sequence[dict], parameters: Iterable[str]) -> dict:
    """One value per keyword: a list, or tensors stacked; the number of images where there are no keywords."""
    if not entries[0]:
        name = next((name for name in ("batch_size", "num_images_per_prompt") if name in parameters), None)
        return {name: len(entries)} if name else {}
    columns: dict[str, Any] = {name: [entry[name] for entry in entries] for name in entries[0]}
    for name in set(SIDES) & set(columns):
        if len(set(columns[name])) > 1:
            raise ValueError(f"asked must give all images one {name}; got {sorted(set(columns[name]))}.")
        columns[name] = columns[name][0]
    return {
        name: torch.stack(values) if isinstance(values, list) and torch.is_tensor(values[0]) else values
        for name, values in columns.items()
    }
