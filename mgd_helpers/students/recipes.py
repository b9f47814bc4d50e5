"""How a student is trained: the short recipe of this package, and the one that the field's tables share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mgd_helpers import arguments
from mgd_helpers.students.augmentation import AUGMENTATIONS
from mgd_helpers.students.networks import NETWORKS


@dataclass(frozen=True)
class Recipe:
    """How a student is trained: SGD with momentum 0.9 for `steps` batches.

    The default is a short recipe for small grey images on a CPU, set by hand and not tuned on any test split; `field`
    gives the one that the field's tables share. `network` is a name that `networks.build` knows, `width` its width
    (None: the field's). `schedule` is `cosine`, a decay to zero, or `steps`, times 0.2 after 2/3 and 5/6 of all steps.
    `augmentation` is one that `augmentation.augment` knows; `max_shift`, in pixels, counts for `shift` only.
    """

    steps: int = 150
    batch_size: int = 50
    learning_rate: float = 0.02
    weight_decay: float = 5e-4
    network: str = "convnet3"
    width: int | None = 32
    max_shift: int = 2
    augmentation: str = "shift"
    cutmix: bool = False
    schedule: str = "cosine"
    nesterov: bool = True

    def __post_init__(self) -> None:
        vars(self).update(  # frozen: NumPy's numbers become Python's, once
            steps=arguments.whole("steps", self.steps, at_least=1),
            batch_size=arguments.whole("batch_size", self.batch_size, at_least=1),
            max_shift=arguments.whole("max_shift", self.max_shift, at_least=0),
            learning_rate=arguments.number("learning_rate", self.learning_rate, above=0),
            weight_decay=arguments.number("weight_decay", self.weight_decay, at_least=0),
            width=None if self.width is None else arguments.whole("width", self.width, at_least=1),
        )
        arguments.one_of("network", self.network, NETWORKS)
        arguments.one_of("schedule", self.schedule, ("cosine", "steps"))
        arguments.one_of("augmentation", self.augmentation, AUGMENTATIONS)
        arguments.flag("cutmix", self.cutmix)
        arguments.flag("nesterov", self.nesterov)

    @classmethod
    def field(
        cls, images_per_class: int, *, image_size: int, n_classes: int = 10, network: str | None = None
    ) -> Recipe:
        """The hard-label recipe that the field's tables share, from the code of Kim et al. (2022).

        For photographs, by default with `convnet6`: 3000 epochs of 1 image per class, 2000 of up to 10, 1500 of up to
        50, 1000 of up to 200, 500 of up to 500, else 300; of 100 classes two thirds of that, in hundreds. Batches of
        64, learning rate 0.01, weight decay 5e-4 (1000 classes: 128, 0.1, 1e-4); times 0.2 after 2/3 and 5/6; the
        augmentation `imagenet`, and CutMix always. Images of up to 64 pixels, by default with `convnet3`: 1000 epochs
        of the `dsa` augmentation without CutMix.

        An epoch is as many steps as there. A batch here is always full, across the ends of epochs, so that images pass
        a little more often. Images stay in [-1, 1] rather than standardised, which instance norm makes nearly equal.
        """
        sizes = {"images_per_class": images_per_class, "image_size": image_size, "n_classes": n_classes}
        images_per_class, image_size, n_classes = (arguments.whole(*size, at_least=1) for size in sizes.items())
        small = image_size <= 64
        bounds = {1: 3000, 10: 2000, 50: 1500, 200: 1000, 500: 500}
        epochs = next((epochs for most, epochs in bounds.items() if images_per_class <= most), 300)
        if n_classes == 100:
            epochs = 2 * epochs // 300 * 100
        many = n_classes >= 1000
        count, most = images_per_class * n_classes, 128 if many else 64
        return cls(
            steps=(1000 if small else epochs) * -(-count // most),
            batch_size=min(most, count),
            learning_rate=0.1 if many else 0.01,
            weight_decay=1e-4 if many else 5e-4,
            network=network or ("convnet3" if small else "convnet6"),
            width=None,
            augmentation="dsa" if small else "imagenet",
            cutmix=not small,
            schedule="steps",
            nesterov=False,
        )


def checked_recipe(recipe: Any) -> Recipe:
    """A recipe as it is, or the `ValueError` that says what to pass."""
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe; got {recipe!r}. Pass Recipe() for the default.")
    return recipe
