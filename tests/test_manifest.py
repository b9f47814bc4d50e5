import functools
import json

import pytest
import torch

from mgd_helpers.data import Dataset, ImageSet
from mgd_helpers.manifest import MANIFEST, check_settings, data_hash, describe, plain, write


def rule(targets, cloud, seed, *, strength=0.3):
    return None


def test_a_function_is_described_with_its_bound_options():
    assert describe(rule).endswith("test_manifest.rule")
    assert describe(functools.partial(rule, strength=0.5)).endswith("test_manifest.rule(strength=0.5)")
    nested = describe(functools.partial(rule, strength=functools.partial(rule, strength=1)))
    assert nested.endswith("test_manifest.rule(strength=1))")
    assert " at 0x" not in nested
    assert describe(torch.nn.Linear(1, 1)) == "torch.nn.modules.linear.Linear"


def test_what_json_cannot_hold_becomes_text():
    assert plain(0.5) == 0.5
    assert plain(None) is None
    assert plain([1, 2]) == "[1, 2]"


def test_a_file_that_fails_to_be_written_leaves_none(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "deep" / "a.txt", fail)
    assert not (tmp_path / "deep" / "a.txt").exists()
    write(tmp_path / "deep" / "a.txt", lambda path: path.write_text("whole"))
    assert (tmp_path / "deep" / "a.txt").read_text() == "whole"


def test_only_a_folder_of_the_same_settings_is_used_again(tmp_path):
    settings = {"steps": 4, "classes": ("a", "b")}
    check_settings(tmp_path / "new", settings)
    check_settings(tmp_path, settings)
    (tmp_path / MANIFEST).write_text(json.dumps({"settings": settings}))
    check_settings(tmp_path, settings)
    with pytest.raises(ValueError, match=r"steps differ \(steps: 4 there, 5 now\)"):
        check_settings(tmp_path, settings | {"steps": 5})
    (tmp_path / MANIFEST).unlink()
    (tmp_path / "other").write_text("")
    with pytest.raises(ValueError, match="out must be a new or empty folder"):
        check_settings(tmp_path, settings)


def test_the_hash_knows_images_and_labels():
    images, labels = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])

    def of(images, labels):
        return data_hash(Dataset("toy", ImageSet(images, labels), ImageSet(images[:0], labels[:0]), ("a", "b")))

    assert of(images, labels) == of(images.clone(), labels.clone())
    assert len({of(images, labels), of(images + 1, labels), of(images, labels.flip(0))}) == 3
