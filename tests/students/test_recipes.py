import math

import numpy as np
import pytest

from mgd_helpers.students import training
from mgd_helpers.students.recipes import Recipe


@pytest.mark.parametrize(
    ("images_per_class", "classes", "epochs"),
    [(1, 10, 3000), (10, 10, 2000), (50, 10, 1500), (51, 10, 1000), (1, 100, 2000), (10, 100, 1300), (50, 100, 1000),
     (200, 100, 600), (10, 1000, 2000)],
)  # fmt: skip
def test_the_fields_recipe_has_the_fields_epochs(images_per_class, classes, epochs):
    recipe = Recipe.field(images_per_class, image_size=224, n_classes=classes)
    most = 128 if classes == 1000 else 64
    assert recipe.steps == epochs * math.ceil(images_per_class * classes / most)
    assert recipe.batch_size == min(most, images_per_class * classes)
    assert (recipe.learning_rate, recipe.weight_decay) == ((0.1, 1e-4) if classes == 1000 else (0.01, 5e-4))
    assert (recipe.network, recipe.augmentation, recipe.cutmix, recipe.schedule) == (
        "convnet6", "imagenet", True, "steps",
    )  # fmt: skip
    assert recipe.width is None and not recipe.nesterov


def test_the_fields_recipe_for_small_images():
    recipe = Recipe.field(10, image_size=32, network="resnet18")
    assert (recipe.network, recipe.augmentation, recipe.cutmix, recipe.steps) == ("resnet18", "dsa", False, 2000)
    assert Recipe.field(10, image_size=32).network == "convnet3"


def test_students_have_the_same_recipe():
    assert training.Recipe is Recipe


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "linear"}, "schedule must be one of cosine, steps; got 'linear'"),
        ({"augmentation": "shfit"}, "augmentation must be one of none, .*; got 'shfit'. Did you mean 'shift'"),
        ({"network": "convnet33"}, "network must be one of .*; got 'convnet33'. Did you mean 'convnet3'"),
        ({"steps": 0}, "steps must be a whole number >= 1; got 0"),
        ({"steps": 2.5}, "steps must be a whole number >= 1; got 2.5"),
        ({"batch_size": True}, "batch_size must be a whole number >= 1; got True"),
        ({"width": "32"}, "width must be a whole number >= 1; got '32'"),
        ({"max_shift": -1}, "max_shift must be a whole number >= 0; got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be a number > 0; got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be a number > 0; got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be a number >= 0; got -0.1"),
        ({"cutmix": 1}, "cutmix must be True or False; got 1"),
        ({"nesterov": None}, "nesterov must be True or False; got None"),
    ],
)
def test_recipes_that_cannot_train_are_refused(options, message):
    broken = object.__new__(Recipe)  # past jaxtyping, which would speak first
    vars(broken).update(vars(Recipe()) | options)
    with pytest.raises(ValueError, match=message):
        broken.__post_init__()


def test_the_fields_recipe_needs_whole_numbers(unchecked):
    field = unchecked(Recipe.field.__func__)
    assert field(Recipe, np.int64(10), image_size=np.int64(32)) == Recipe.field(10, image_size=32)
    for name in ("images_per_class", "image_size", "n_classes"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number >= 1; got 1.5"):
            field(Recipe, **{"images_per_class": 1, "image_size": 32} | {name: 1.5})


def test_numbers_of_numpy_become_pythons():
    numbers = object.__new__(Recipe)
    vars(numbers).update(vars(Recipe()) | {"steps": np.int64(150), "learning_rate": np.float32(0.5)})
    numbers.__post_init__()
    assert (type(numbers.steps), type(numbers.learning_rate)) == (int, float)
    assert numbers == Recipe(learning_rate=0.5)
