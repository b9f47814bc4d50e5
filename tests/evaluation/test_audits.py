import json

import numpy as np
import pytest
import torch

from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.evaluation.audits import audit
from mgd_helpers.evaluation.copies import find_copies
from mgd_helpers.evaluation.membership import membership_auc
from mgd_helpers.students.recipes import Recipe

SHORT = Recipe(steps=40, batch_size=20, network="convnet1", width=4, max_shift=0)


def rows_of(part, rows):
    return ImageSet(part.images[rows], part.labels[rows])


def test_an_audit_is_both_answers_beside_each_other(little):
    part, rows = rows_of(little.train, range(60)), torch.tensor([2, 3, 5, 7])
    found = audit(part, against=little, members=[7, 5, 3, 2, 2], students=2, recipe=SHORT, rounds=5, seed=4)
    copies = find_copies(part, little, rounds=5, seed=4)
    area, interval = membership_auc(part, little, members=rows, students=2, recipe=SHORT, seed=4)
    assert found.as_dict().items() >= copies.items()
    assert (found.images, found.features, found.members) == (60, "pixels", 4)
    assert (found.membership_auc, found.membership_auc_interval) == (area, interval)
    assert audit(part, against=little, members=[2, 3, 5, 7], students=2, recipe=SHORT, rounds=5, seed=4) == found


def test_order_does_not_matter(little):
    part = rows_of(little.train, range(40))
    part = ImageSet(
        torch.cat([part.images, little.test.images[:20]]), torch.cat([part.labels, little.test.labels[:20]])
    )
    plain = audit(part, against=little, students=0).as_dict()
    turned_train = Dataset("little", rows_of(little.train, range(1499, -1, -1)), little.test, little.class_names)
    turned = audit(rows_of(part, range(59, -1, -1)), against=turned_train, students=0).as_dict()
    pairs = {(59 - row, 1499 - real) for row, real in turned["near_duplicates"]}
    assert pairs == set(plain["near_duplicates"])
    for name in set(plain) - {"near_duplicates", "features", "membership_auc", "membership_auc_interval", "repeats"}:
        assert turned[name] == pytest.approx(plain[name]), name


def test_an_audit_reads_well_and_goes_into_json(little):
    part = rows_of(little.train, range(12))
    found = audit(part, against=little, recipe=SHORT, features=("mean colour", lambda x: x.mean((2, 3))))
    assert json.loads(json.dumps(found.as_dict()))["features"] == "mean colour"
    for words in ("12 images", "on mean colour", "12 of training images", "membership AUC (1500 members)"):
        assert words in str(found)
    assert "AUC" not in str(audit(part, against=little, students=0))


def test_data_that_cannot_be_audited_are_refused(little):
    part = rows_of(little.train, range(12))
    empty = rows_of(little.train, [])
    zeros = rows_of(little.test, little.test.labels == 0)
    for generated, test, words in [
        (part, empty, "against must have a test split; 'it' has none"),
        (part, zeros, "against must hold test images of every class of generated; got none of labels"),
        (empty, zeros, "generated must hold at least one image"),
        (
            ImageSet(part.images[..., :4], part.labels),
            zeros,
            r"generated must have images \[1, 8, 8\], like 'it'; got \[1, 8, 4\]",
        ),
    ]:
        with pytest.raises(ValueError, match=words):
            audit(generated, against=Dataset("it", little.train, test, little.class_names), students=0, split=None)
    for members in ([], [-1], [1500], [False] * 1500):
        with pytest.raises(ValueError, match="members must be rows of the training split, 0 to 1499, or 1500 booleans"):
            audit(part, against=little, members=members)
    with pytest.raises(ValueError, match="rounds must be a whole number >= 1; got 0"):
        audit(part, against=little, rounds=0)


def test_a_mask_names_the_members_as_their_rows_do(little, unchecked):
    part, rows = rows_of(little.train, range(60)), [2, 3, 5, 7]
    mask = torch.zeros(1500, dtype=torch.bool)
    mask[rows] = True
    named = [audit(part, against=little, members=rows, recipe=SHORT, rounds=2)]
    for members in (mask, mask.numpy(), mask.tolist(), np.array(rows), torch.tensor(rows, dtype=torch.int32)):
        named.append(unchecked(audit)(part, against=little, members=members, recipe=SHORT, rounds=2))
    assert all(found == named[0] for found in named)
    assert named[0].members == 4


@pytest.mark.parametrize(
    "members",
    [[0.5, 1.0], torch.tensor([1.0, 2.0]), "all", ["a"], [None], [True, False], [[1], [2, 3]]],
)
def test_members_that_are_neither_rows_nor_a_mask_are_refused(little, unchecked, members):
    part = rows_of(little.train, range(12))
    with pytest.raises(ValueError, match="members must be rows of the training split, 0 to 1499, or 1500 booleans"):
        unchecked(audit)(part, against=little, members=members, students=0)


@pytest.mark.parametrize("rounds", ["a", 0, 2.5, None])
def test_rounds_that_are_no_number_are_refused(little, unchecked, rounds):
    with pytest.raises(ValueError, match="rounds must be a whole number >= 1; got"):
        unchecked(audit)(rows_of(little.train, range(12)), against=little, rounds=rounds)


def test_a_set_is_called_by_its_folder_and_columns_are_those_of_load_data(little, tmp_path, waves):
    from mgd_helpers.data.saving import write_images

    folder = write_images(tmp_path / "my set", waves.test, class_names=waves.class_names)
    assert f"'{folder}' is the test split itself" in audit(folder, against=waves, students=0, rounds=2).note
    with pytest.raises(ValueError, match="label_column must be left out for a Dataset"):
        audit(folder, against=waves, students=0, label_column="kind")
