"""Every number that a public function takes by annotation is checked by name, and may come from NumPy."""

import importlib
import inspect
import math
import re
import types

import numpy as np
import pytest
import torch

from mgd_helpers import seeding
from mgd_helpers.baselines import distribution_matching, minimax, real_images
from mgd_helpers.clustering import targets
from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.encoding import latents
from mgd_helpers.evaluation import fidelity, intervals, paired, precision_recall, tables
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.students import augmentation, networks, training
from mgd_helpers.students.recipes import Recipe
from mgd_helpers.tangent import dimension

ROWS = torch.arange(24.0).view(8, 3) % 5
PAIR = {"generated": ROWS, "real": ROWS.flip(0) + 1}
ACCURACIES = [[0.5, 0.6], [0.7, 0.9]]
SHARES = dict.fromkeys(("real_hard", "generated_hard", "generated_any", "random_any"), 0.5)
AUGMENTED = ("generated_augmented", "random_augmented", "generated_plain", "random_plain")
SET = ImageSet(torch.linspace(-1, 1, 12 * 256).view(12, 1, 16, 16), torch.arange(12) % 2)
DATA = Dataset("ramps", SET, ImageSet(SET.images[:6], SET.labels[:6]), ("zero", "one"))
BY_CLASS = ImageSet(SET.images[:2], SET.labels[:2])
LEARN = {"images": SET.images, "targets": SET.labels, "n_classes": 2, "recipe": Recipe(steps=1, network="convnet1")}
BUILD = {"channels": 1, "n_classes": 2, "image_size": 16, "width": 2}
RANDOM = {"generator": torch.Generator()}
AUTOENCODER = types.SimpleNamespace(config=types.SimpleNamespace(in_channels=1, latent_channels=1))

CALLS = [
    (tables.evaluate, {"generated": SET, "against": DATA}),
    (tables.student_accuracies, {"images": SET, "data": DATA, "students": 0}),
    (audit, {"generated": SET, "against": DATA}),
    (fidelity.mmd, PAIR),
    (fidelity.kernel_distance, PAIR),
    (fidelity.feature_rows, {"images": SET.images}),
    (fidelity.inception_features, {"images": SET.images}),
    (precision_recall.precision_recall, PAIR),
    (precision_recall.representativeness, PAIR),
    (precision_recall.diversity, {"generated": ROWS}),
    (paired.paired_difference, {"a": ACCURACIES, "b": ACCURACIES}),
    (paired.pooled_difference, {"pairs": [(ACCURACIES, ACCURACIES)]}),
    (paired.label_robust_score, SHARES),
    (paired.augmentation_robust_score, dict.fromkeys(AUGMENTED, 0.5)),
    (intervals.wilson, {"share": 0.5, "n": 10}),
    (intervals.auc, {"ours": ROWS[0], "theirs": ROWS[1]}),
    (intervals.middle, {"values": ROWS[0]}),
    (Recipe.field.__func__, {"cls": Recipe, "images_per_class": 1, "image_size": 32}),
    (training.train_student, LEARN),
    (training.train_students, LEARN | {"seeds": [0]}),
    (training.soft_labels, {"teacher": torch.nn.Flatten(), "images": SET.images}),
    (real_images.random_real, {"train": SET, "images_per_class": 1, "seed": 0}),
    (real_images.herding, {"train": SET, "images_per_class": 1}),
    (real_images.k_center, {"train": SET, "images_per_class": 1}),
    (distribution_matching.match_distributions, {"start": BY_CLASS, "train": SET, "steps": 1}),
    (minimax.finetune_minimax, {"pipe": None, "train": SET, "steps": 1}),
    (augmentation.random_augmentation, {"augmentation": "shift", "shape": (1, 1, 4, 4)} | RANDOM),
    (networks.build, {"network": "convnet1"} | BUILD),
    (seeding.generators, {"seed": 0, "label": 1, "images": [2]}),
    (dimension.two_nn_dimension, {"distances": ROWS + 1}),
    (latents.encode, {"vae": AUTOENCODER, "images": SET.images}),
    (latents.decode, {"vae": AUTOENCODER, "latents": SET.images}),
    (latents.decibels, {"error": 0.1}),
    (targets.pick_targets, {"tree": bisect(ROWS, n_leaves=2), "images_per_class": 1}),
]
WRONG = {"int": (True, 1.5, math.nan, "a", [1]), "float": (True, math.nan, "a", [1.0])}
HANDED_ON = {"students.augmentation.augment"}  # to a function of the table, as it is


def number_arguments(function):
    """(name, whether None is a value, int or float) of all arguments that are annotated as numbers."""
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = parameter.annotation
        kinds = set(re.findall(r"\w+", annotation if isinstance(annotation, str) else repr(annotation))) - {"class"}
        if kinds and kinds <= {"int", "float", "None"} and parameter.kind is not parameter.VAR_POSITIONAL:
            yield name, "None" in kinds, "float" if "float" in kinds else "int"


@pytest.mark.parametrize(("function", "options"), CALLS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_number_that_is_none_is_refused_by_name(function, options, unchecked):
    function = unchecked(function)
    assert list(number_arguments(function))
    for name, may_be_none, kind in number_arguments(function):
        for value in WRONG[kind] + (() if may_be_none else (None,)):
            with pytest.raises(ValueError, match=rf"^{name} must be a (whole )?number.*; got"):
                function(**options | {name: value})


def test_the_table_is_complete():
    tested = {f"{function.__module__.removeprefix('mgd_helpers.')}.{function.__name__}" for function, _ in CALLS}
    missing = []
    for module in {name.rpartition(".")[0] for name in tested}:
        loaded = importlib.import_module(f"mgd_helpers.{module}")
        for name, thing in vars(loaded).items():
            if inspect.isfunction(thing) and thing.__module__ == loaded.__name__ and not name.startswith("_"):
                missing += [f"{module}.{name}"] if any(number_arguments(inspect.unwrap(thing))) else []
    assert set(missing) - tested == HANDED_ON


@pytest.mark.parametrize(
    ("function", "options", "numbers"),
    [
        (fidelity.mmd, PAIR, {"bandwidth": 2}),
        (fidelity.kernel_distance, PAIR, {"subsets": 3, "subset_size": 4, "seed": 5}),
        (precision_recall.precision_recall, PAIR, {"n_neighbors": 2}),
        (precision_recall.diversity, {"generated": ROWS}, {"quantile": 0.25}),
        (
            paired.paired_difference,
            {"a": ACCURACIES, "b": [[0.1, 0.2], [0.2, 0.1]], "method": "bootstrap"},
            {"rounds": 50, "seed": 1, "confidence": 0.75},
        ),
        (intervals.wilson, {}, {"share": 0.5, "n": 10}),
        (intervals.auc, {"ours": ROWS[0], "theirs": ROWS[1]}, {"rounds": 20, "seed": 3}),
        (dimension.two_nn_dimension, {"distances": (ROWS + 1).sort().values}, {"discard": 0.25}),
    ],
)
def test_numbers_of_numpy_do_as_pythons(function, options, numbers, unchecked):
    function = unchecked(function)
    from_numpy = {
        name: np.float64(value) if isinstance(value, float) else np.int64(value) for name, value in numbers.items()
    }
    assert function(**options, **from_numpy) == function(**options, **numbers)


def test_sets_and_networks_take_numbers_of_numpy(unchecked):
    two, three = np.int64(2), np.int32(3)
    found = unchecked(real_images.random_real)(SET, images_per_class=two, seed=three)
    assert torch.equal(found.images, real_images.random_real(SET, images_per_class=2, seed=3).images)
    for rule in (real_images.herding, real_images.k_center):
        assert torch.equal(unchecked(rule)(SET, images_per_class=two).images, rule(SET, images_per_class=2).images)
    options = {"channels": np.int64(1), "n_classes": two, "width": two, "seed": three}
    built = unchecked(networks.build)("convnet1", image_size=16, **options)
    plain = networks.build("convnet1", image_size=16, **{name: int(value) for name, value in options.items()})
    assert all(torch.equal(*pair) for pair in zip(built.parameters(), plain.parameters(), strict=True))
    tree = bisect(ROWS, n_leaves=3)
    assert unchecked(targets.pick_targets)(tree, images_per_class=two).nodes == (
        targets.pick_targets(tree, images_per_class=2).nodes
    )


@pytest.mark.parametrize("rule", [real_images.random_real, real_images.herding, real_images.k_center])
def test_a_data_set_in_place_of_its_split_is_answered_with_its_splits(rule, unchecked):
    options = {"images_per_class": 1} | ({"seed": 0} if rule is real_images.random_real else {})
    with pytest.raises(ValueError, match=r"train must be an ImageSet; got Dataset. Pass one of its splits"):
        unchecked(rule)(DATA, **options)


def test_words_that_are_nearly_right_are_answered_with_the_right_ones():
    for call, message in [
        (lambda: networks.build("convnet", **BUILD), r"network must be one of .*; got 'convnet'. Did you mean"),
        (lambda: augmentation.random_augmentation("dsaa", (1, 1, 4, 4), **RANDOM), "Did you mean 'dsa'"),
        (lambda: paired.paired_difference(ACCURACIES, ACCURACIES, method="bootstrp"), "Did you mean 'bootstrap'"),
        (lambda: targets.pick_targets(bisect(ROWS, n_leaves=2), images_per_class=1, scan="to_rot"), "mean 'to_root'"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("wrong", [[["a", "b"], ["c", "d"]], [[True, False], [True, True]], [[0.5], [0.5, 0.6]], "ab"])
def test_accuracies_are_numbers_in_rows_of_equal_length(wrong, unchecked):
    with pytest.raises(ValueError, match=r"a and b must be accuracies \[sets, students\], numbers in rows"):
        unchecked(paired.paired_difference)(wrong, ACCURACIES)


def test_p_values_are_shares():
    for value in (1.5, math.nan, -0.1):
        with pytest.raises(ValueError, match=r"p_values\[1\] must be a number from 0 to 1; got"):
            paired.holm([0.5, value])


def test_keys_of_generators_are_whole(unchecked):
    for value in (1.5, None, "a", True, math.nan, -1):
        with pytest.raises(ValueError, match="each of seed, class and image must be a whole number >= 0; got"):
            unchecked(seeding.generator)(0, value)
    numpy = unchecked(seeding.generator)(np.int64(3), np.uint8(1))
    assert numpy.initial_seed() == seeding.generator(3, 1).initial_seed()
