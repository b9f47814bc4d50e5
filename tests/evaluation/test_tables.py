import inspect

import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from mgd_helpers.data.datasets import read_generated
from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.evaluation import tables
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.fidelity import embedding_distance, frechet_distance, mmd
from mgd_helpers.evaluation.precision_recall import diversity
from mgd_helpers.evaluation.tables import distances, measure, nearest_neighbor_accuracy, student_accuracies
from mgd_helpers.seeding import generator
from mgd_helpers.students.training import Recipe, accuracy, train_student

SHORT = Recipe(steps=10, batch_size=4, network="convnet1", width=4)


def evaluate(*sets, **options):
    """Without the rows of real images, which are in test_baseline_rows.py."""
    return tables.evaluate(*sets, **{"baselines": False} | options)


evaluate.__wrapped__ = lambda *sets, **options: inspect.unwrap(tables.evaluate)(*sets, baselines=False, **options)


def write_folder(folder, images: ImageSet, names):
    for index, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(((image[0] + 1) * 127.5).round().byte().numpy()).save(
            folder / names[label] / f"{index:03d}.png"
        )
    return folder


def test_one_row_per_set_with_the_scores_of_the_parts(waves):
    small = ImageSet(waves.train.images[:6], waves.train.labels[:6])
    table = evaluate({"all": waves.train, "six": small}, against=waves, students=2, recipe=SHORT, seed=5)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.index) == ["all", "six"]
    scores_of_students = ["student", "student_sd", "student_5", "student_6"]
    assert list(table.columns) == ["images", *scores_of_students, "nearest_neighbor", "mmd_pixels"]
    scores = torch.tensor(student_accuracies(small, waves, students=2, recipe=SHORT, seed=5))
    row = table.loc["six"]
    assert row["images"] == 6
    assert row["student"] == pytest.approx(scores.mean().item())
    assert row["student_sd"] == pytest.approx(scores.std().item())
    assert row["nearest_neighbor"] == nearest_neighbor_accuracy(small, waves.test)
    real = waves.train.images.flatten(1)
    assert row["mmd_pixels"] == pytest.approx(mmd(generated=small.images.flatten(1), real=real))


def test_students_have_consecutive_seeds_and_are_scored_on_the_test_split(waves):
    found = student_accuracies(waves.train, waves, students=2, seed=3, recipe=SHORT)
    for score, seed in zip(found, (3, 4), strict=True):
        student = train_student(waves.train.images, waves.train.labels, n_classes=2, recipe=SHORT, seed=seed)
        assert score == accuracy(student, waves.test.images, waves.test.labels)


def test_a_row_does_not_depend_on_the_other_rows(waves):
    half = ImageSet(waves.train.images[:6], waves.train.labels[:6])
    alone = evaluate({"half": half}, against=waves, students=2, recipe=SHORT)
    together = evaluate({"all": waves.train, "half": half}, against=waves, students=2, recipe=SHORT)
    pandas.testing.assert_frame_equal(alone, together.loc[["half"]])


def test_nearest_neighbor_accuracy_is_the_loop_over_test_images(digits):
    train, test = ImageSet(digits.train.images[:60], digits.train.labels[:60]), digits.test
    right = 0
    for image, label in zip(test.images, test.labels, strict=True):
        gaps = [(image - other).square().sum().item() for other in train.images]
        right += train.labels[gaps.index(min(gaps))].item() == label.item()
    assert nearest_neighbor_accuracy(train, test) == pytest.approx(right / len(test))


def test_features_are_the_callers(waves):
    def mean(images):
        return images.mean((2, 3))

    table = evaluate(waves.train, against=waves, students=1, recipe=SHORT, features=("mean", mean))
    expected = mmd(generated=mean(waves.train.images), real=mean(waves.train.images))
    assert table["mmd_mean"].item() == pytest.approx(expected)


def test_the_table_says_what_it_was_made_with_and_keeps_every_accuracy(waves):
    apart = ImageSet(waves.test.images.neg(), waves.test.labels)
    noted = Dataset("noted", waves.train, apart, waves.class_names, note="A copy.")
    table = evaluate({"a": waves.train, "b": waves.train}, against=noted, students=2, recipe=SHORT, seed=5)
    expected = student_accuracies(waves.train, noted, students=2, recipe=SHORT, seed=5)
    assert table[["student_5", "student_6"]].to_numpy().tolist() == [expected, expected]
    assert table.attrs == {"against": "noted", "test_images": 4, "note": "A copy."}


def test_mmd_to_a_large_set_is_to_a_part_drawn_once(waves, monkeypatch):
    monkeypatch.setattr("mgd_helpers.evaluation.tables.REAL_ROWS", 5)
    part = torch.randperm(12, generator=generator(0))[:5]
    expected = mmd(generated=waves.train.images.flatten(1), real=waves.train.images[part].flatten(1))
    found = evaluate({"a": waves.train, "b": waves.train}, against=waves, students=0)["mmd_pixels"]
    assert found.tolist() == pytest.approx([expected, expected])


def test_everything_runs_on_the_device_that_is_named(waves, device):
    table = evaluate(waves.train, against=waves, students=1, recipe=SHORT, device=device)
    assert table["nearest_neighbor"].item() == 1
    little = Dataset("little", waves.train, waves.train, waves.class_names)
    assert measure(waves.train, against=little, device=device)["precision"].item() == 1
    assert audit(waves.train, against=waves, recipe=SHORT, device=device).images == 12


def test_folders_of_any_method_go_to_all_distances(tmp_path, digits):
    part = ImageSet(digits.train.images[:60], digits.train.labels[:60])
    folder = write_folder(tmp_path / "set", part, digits.class_names)
    name, means = features = ("block means", lambda images: torch.nn.functional.avg_pool2d(images, 8))
    table = measure({"one": folder, "same": part}, against=digits, features=features)
    rows, real = (means(images).flatten(1) for images in (part.images, digits.test.images))
    labels = {"generated_labels": part.labels, "real_labels": digits.test.labels}
    assert table.loc["same"].to_dict() == {"images": 60} | distances(generated=rows, real=real, **labels)
    assert table["frechet_distance"]["same"] == frechet_distance(generated=rows, real=real)
    assert table.loc["one"].to_list() == pytest.approx(table.loc["same"].to_list(), rel=0.02, abs=1e-3)  # 8 bits
    assert table.attrs == {"against": "digits", "test_images": 297, "note": "", "features": name}
    assert "diversity_5" in measure(part, against=digits).columns
    found = audit(folder, against=digits, students=0)
    assert found.images == 60
    assert len(found.near_duplicates) == 60


def test_gray_data_take_folders_that_were_saved_in_color(tmp_path, waves):
    folder = write_folder(tmp_path / "set", waves.train, waves.class_names)
    gray = read_generated(folder, waves)
    for file in folder.rglob("*.png"):
        Image.open(file).convert("RGB").save(file)
    assert torch.equal(read_generated(folder, waves).images, gray.images)


def test_data_that_are_not_square_take_folders_of_their_own_size(tmp_path, waves):
    def upper(part):
        return ImageSet(part.images[..., :8, :].contiguous(), part.labels)

    wide = Dataset("wide", upper(waves.train), upper(waves.test), waves.class_names)
    folder = write_folder(tmp_path / "set", wide.train, wide.class_names)
    assert evaluate(folder, against=wide, students=1, recipe=SHORT)["nearest_neighbor"].item() == 1
    with pytest.raises(ValueError, match=r"must have images \[1, 8, 16\], like 'wide'; got \[1, 16, 16\]"):
        evaluate(waves.train, against=wide)


@pytest.mark.parametrize(("students", "has_mean"), [(0, False), (1, True)])
def test_one_student_has_no_deviation_and_none_no_score(waves, students, has_mean):
    row = evaluate(waves.train, against=waves, students=students, recipe=SHORT).loc["generated"]
    assert pandas.notna(row["student"]) == has_mean
    assert pandas.isna(row["student_sd"])


def test_folders_are_matched_by_class_name_and_not_by_order(tmp_path, waves):
    renamed = Dataset("renamed", waves.train, waves.test, ("up", "across"))  # the alphabet turns them round
    folder = write_folder(tmp_path / "set", waves.train, renamed.class_names)
    found = read_generated(folder, renamed)
    assert found.labels.tolist() == [1] * 6 + [0] * 6
    torch.testing.assert_close(found.images[6:], waves.train.of_class(0), rtol=0, atol=0.005)
    table = evaluate(folder, against=renamed, students=0)
    assert list(table.index) == [str(folder)]
    assert table["nearest_neighbor"].item() == 1


def test_folders_are_read_at_another_size_on_purpose_only(tmp_path, waves):
    (tmp_path / "zero").mkdir()
    Image.new("L", (40, 40)).save(tmp_path / "zero" / "0.png")
    with pytest.raises(ValueError, match=r"must hold images of 16x16 pixels, .*; got 40x40. .*image_size=16"):
        read_generated(tmp_path, waves)
    assert read_generated(tmp_path, waves, image_size=16).images.shape == (1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"must hold images of 16x16 pixels, .*; got 20x20"):
        read_generated(tmp_path, waves, image_size=20)


def test_classes_that_the_data_do_not_know_are_refused(tmp_path, waves):
    folder = write_folder(tmp_path, waves.train, ("zero", "two"))
    with pytest.raises(ValueError, match=r"generated folder .* must hold classes of 'waves', .*; got also \['two'\]"):
        evaluate(folder, against=waves)


def test_missing_classes_are_refused(waves):
    only_ones = ImageSet(waves.train.of_class(1), torch.ones(6, dtype=torch.long))
    with pytest.raises(
        ValueError,
        match=r"generated must hold images of every class.*got none of class \['zero'\]",
    ):
        evaluate(only_ones, against=waves)


def test_labels_beyond_the_classes_are_refused(waves):
    strange = ImageSet(waves.train.images, torch.arange(12) % 3)
    with pytest.raises(ValueError, match="'strange' must have labels 0 to 1, like 'waves'; got labels up to 2"):
        evaluate({"strange": strange}, against=waves, students=0)


def test_distances_need_six_images(waves):
    few = ImageSet(waves.train.images[:4], waves.train.labels[:4])
    with pytest.raises(ValueError, match=r"need at least 6 rows; got 4 and 4\. Generate more"):
        measure(few, against=waves)


def test_no_set_at_all_is_refused(waves):
    with pytest.raises(ValueError, match="generated must hold at least one set; got none"):
        evaluate({}, against=waves)


def test_images_of_another_shape_are_refused(waves):
    wide = ImageSet(torch.zeros(2, 3, 16, 16), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"'wide' must have images \[1, 16, 16\], like 'waves'; got \[3, 16, 16\]"):
        evaluate({"wide": wide}, against=waves)


def test_data_without_a_test_split_are_refused(waves):
    empty = ImageSet(waves.train.images[:0], waves.train.labels[:0])
    with pytest.raises(ValueError, match=r"against must have a test split; 'waves' has none. Pass a Dataset"):
        evaluate(waves.train, against=Dataset("waves", waves.train, empty, waves.class_names), split=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"students": -1}, "students must be a whole number >= 0; got -1"),
        ({"students": float("nan")}, "students must be a whole number .*; got nan"),
        ({"students": 2.5}, "students must be a whole number .*; got 2.5"),
        ({"students": None}, "students must be a whole number .*; got None"),
        ({"students": True}, "students must be a whole number .*; got True"),
        ({"seed": -1}, "seed must be a whole number >= 0; got -1"),
        ({"seed": "a"}, "seed must be a whole number >= 0; got 'a'"),
        ({"device": "gpu"}, "device must be a device such as 'cpu'.*; got 'gpu'"),
        ({"device": "cuda:99"}, "device must be a device of this machine; got 'cuda:99'"),
        ({"recipe": None}, "recipe must be a Recipe; got None"),
        ({"features": torch.mean}, r"features must be a pair \(name, function of images\)"),
        ({"split": 1.0}, "split must be a number > 0 and < 1; got 1.0"),
        ({"metrics": mmd}, "metrics must be {name: function}; got"),
    ],
)
@pytest.mark.parametrize("function", [evaluate, audit])
def test_settings_that_make_no_sense_are_refused_by_name(waves, unchecked, function, options, message):
    if function is audit and "metrics" in options:
        return
    if "split" in options:
        waves = Dataset("waves", waves.train, waves.train.take([]), waves.class_names)
    with pytest.raises(ValueError, match=message):
        unchecked(function)(waves.train, against=waves, **{"students": 1} | options)


def test_numbers_of_numpy_and_images_of_any_precision_make_no_difference(waves, unchecked):
    plain = evaluate(waves.train, against=waves, students=2, seed=1, recipe=SHORT)
    double = ImageSet(waves.train.images.double().requires_grad_(True), waves.train.labels)
    for data in (waves, Dataset("waves", double, waves.test, waves.class_names)):
        other = unchecked(evaluate)(double, against=data, students=np.int64(2), seed=np.int32(1), recipe=SHORT)
        pandas.testing.assert_frame_equal(plain, other)
        assert plain.attrs == other.attrs


def test_metrics_get_what_they_name_and_give_columns(waves):
    seen = {}

    def shares(*, generated_labels, real_labels):
        seen.update(generated_labels=generated_labels, real_labels=real_labels)
        return {"ours": generated_labels.double().mean(), "theirs": real_labels.double().mean()}

    part = ImageSet(waves.train.images[:6], waves.train.labels[:6])
    metrics = {"mmd": mmd, "diversity": diversity, "shares": shares, "embedding": embedding_distance}
    for function, real in ((measure, waves.test), (evaluate, waves.train)):
        options = {"students": 0} if function is evaluate else {}
        table = function({"part": part}, against=waves, metrics=metrics, **options)
        row, rows = table.loc["part"], {"generated": part.images.flatten(1), "real": real.images.flatten(1)}
        assert list(table.columns)[-5:] == ["mmd", "diversity", "ours", "theirs", "embedding"]
        assert row["mmd"] == mmd(**rows)
        assert row["diversity"] == diversity(generated=rows["generated"])
        assert (row["ours"], row["theirs"]) == (0.5, 0.5)
        assert torch.equal(seen["generated_labels"], part.labels)
        assert torch.equal(seen["real_labels"], real.labels)
        assert not any(column.startswith("mmd_") or column == "precision" for column in table.columns)


def test_the_default_metrics_are_the_distances_and_others_need_no_six_images(waves):
    pandas.testing.assert_frame_equal(
        measure(waves.train, against=Dataset("w", waves.train, waves.train, waves.class_names)),
        measure(
            waves.train,
            against=Dataset("w", waves.train, waves.train, waves.class_names),
            metrics={"distances": distances},
        ),
    )
    assert measure(waves.test, against=waves, metrics={"mmd": mmd})["images"].item() == 4


@pytest.mark.parametrize("value", ["0.5", None, True, torch.zeros(2)])
def test_metrics_that_give_no_number_are_refused(waves, value):
    with pytest.raises(ValueError, match=r"metrics\['mine'\] must return a number, or a dictionary of them; got"):
        measure(waves.train, against=waves, metrics={"mine": lambda generated, real: value})


def test_metrics_that_give_a_column_twice_are_refused(waves):
    with pytest.raises(ValueError, match=r"metrics\['images'\] must give new columns; got 'images', which is there"):
        measure(waves.train, against=waves, metrics={"images": lambda generated: 1})


def test_the_test_split_as_generated_is_said_in_the_note(waves):
    assert "is the test split itself" in evaluate(waves.test, against=waves, students=0).attrs["note"]


def test_data_sets_in_place_of_sets_are_answered_with_their_splits(waves, unchecked):
    for function in (evaluate, measure, audit):
        with pytest.raises(ValueError, match=r"generated must be .*; got Dataset. Pass one of its splits"):
            unchecked(function)(waves, against=waves)
    with pytest.raises(ValueError, match="images must be an ImageSet; got Dataset"):
        unchecked(student_accuracies)(waves, waves, students=1)
    with pytest.raises(ValueError, match="train must be an ImageSet; got Dataset"):
        unchecked(nearest_neighbor_accuracy)(waves, waves.test)


@pytest.mark.slow
def test_a_set_kept_as_bytes_is_worth_what_its_numbers_are(kept, tiny):
    tables = [
        evaluate(
            {"few": data.train.take(range(4))}, against=data, students=1, baselines=True, recipe=SHORT, pipeline=tiny
        )
        for data in kept
    ]
    assert tables[0].equals(tables[1]) and tables[0].attrs == tables[1].attrs
