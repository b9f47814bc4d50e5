import pytest

from mgd_helpers.baselines import herding, random_real, round_trip
from mgd_helpers.data.image_sets import Dataset
from mgd_helpers.evaluation.baseline_rows import baseline_sets
from mgd_helpers.evaluation.reading import read_sets
from mgd_helpers.evaluation.tables import evaluate
from mgd_helpers.students.recipes import Recipe

SHORT = Recipe(steps=2, batch_size=4, network="convnet1", width=4)


def test_a_table_has_rows_of_as_many_real_images_and_of_the_autoencoder(waves, tiny):
    part = waves.train.take([0, 1, 2, 3])
    table = evaluate({"mine": part}, against=waves, students=1, recipe=SHORT, pipeline=tiny, seed=2)
    real = random_real(waves.train, images_per_class=2, seed=2)
    sets = {
        "mine": part,
        "random real": real,
        "herding": herding(waves.train, images_per_class=2),
        "through autoencoder": round_trip(tiny.vae, real),
    }
    plain = evaluate(sets, against=waves, students=1, recipe=SHORT, baselines=False, seed=2)
    assert list(table.index) == list(sets)
    assert table.equals(plain)
    assert evaluate(part, against=waves, students=0, baselines=False).index.tolist() == ["generated"]


def test_there_are_rows_for_each_number_of_images(waves):
    train = waves.train
    sets = {"two": train.take([0, 1, 2, 3]), "odd": train.take([0, 1, 2]), "also two": train.take([4, 5, 6, 7])}
    rows, note = baseline_sets(read_sets(sets, against=waves), pipeline=None, seed=0)
    kinds = ["(2 per class)", "(as many as 'odd')"]
    assert list(rows) == [f"{row} {kind}" for kind in kinds for row in ("random real", "herding")]
    assert rows["herding (as many as 'odd')"].labels.tolist() == [0, 0, 1]
    assert note == ""


def test_a_set_of_the_same_name_stands_for_the_row(waves):
    mine = {"random real": waves.train.take([0, 1]), "herding": waves.train.take([2, 3])}
    assert baseline_sets(read_sets(mine, against=waves), pipeline=None, seed=0) == ({}, "")


def test_more_images_than_there_are_real_ones_are_said(waves):
    twice = waves.train.take([*range(12), *range(12)])
    rows, note = baseline_sets(read_sets({"twice": twice}, against=waves), pipeline=None, seed=0)
    assert rows == {}
    assert note == "There are not as many real images of each class as in 'twice'."


def test_a_pipeline_for_other_images_is_said(waves, digits, tiny):
    rows, note = baseline_sets(read_sets(digits.test.take(range(60)), against=digits), pipeline=tiny, seed=0)
    assert "through autoencoder" not in rows
    assert note == "The autoencoder of the pipeline does not take images of this size."


def test_data_without_a_test_split_are_split_and_no_real_row_holds_a_test_image(waves):
    alone = Dataset("alone", waves.train, waves.train.take([]), waves.class_names)
    table = evaluate(waves.train.take([0, 1]), against=alone, students=0)
    assert table.attrs["test_images"] == 2
    assert table.attrs["note"] == "'alone' has no test split: 2 of its 12 images are held out for it."
    reading = read_sets(waves.train.take(range(10)), against=alone, split=0.2)
    rows, _ = baseline_sets(reading, pipeline=None, seed=0)
    tests = {image.numpy().tobytes() for image in reading.data.test.images}
    for images in rows.values():
        assert len(images) == 10
        assert not tests & {image.numpy().tobytes() for image in images.images}


def test_rows_lie_on_the_device_of_the_comparison(waves, device):
    reading = read_sets(waves.train, against=waves, device=device)
    rows, _ = baseline_sets(reading, pipeline=None, seed=0)
    assert {images.images.device.type for images in rows.values()} == {device.type}


def test_baselines_are_on_or_off(waves, unchecked):
    with pytest.raises(ValueError, match="baselines must be True or False; got 1"):
        unchecked(evaluate)(waves.train, against=waves, baselines=1)
