import functools
import hashlib

import pytest
import torch

from mgd_helpers.data.image_sets import Dataset, ImageSet
from mgd_helpers.guidance import ModePull, factories
from mgd_helpers.manifest import check_settings, code_of, data_hash, describe, plain


def rule(targets, cloud, seed, *, strength=0.3):
    return None


def test_a_function_is_described_with_its_bound_options():
    assert describe(rule).endswith("test_manifest.rule")
    assert describe(functools.partial(rule, strength=0.5)).endswith("test_manifest.rule(strength=0.5)")
    nested = describe(functools.partial(rule, strength=functools.partial(rule, strength=1)))
    assert nested.endswith("test_manifest.rule(strength=1))")
    assert " at 0x" not in nested
    assert describe(torch.nn.Linear(1, 1)) == "torch.nn.modules.linear.Linear"


def test_names_of_this_package_do_not_depend_on_the_file_they_lie_in(tmp_path):
    ours = functools.partial(factories.manifold, strength=ModePull)
    assert describe(ours) == "mgd_helpers.manifold(strength=mgd_helpers.ModePull)"
    assert describe(factories.manifold).startswith("mgd_helpers.")
    # a folder begun by a version that wrote the file goes on
    there = "mgd_helpers.guidances.manifold(strength=mgd_helpers.guidance.ModePull)"
    before = {"settings": {"classes": [], "guidance": there}, "images": []}
    now = {"classes": [], "guidance": describe(ours), "guidance_code": code_of(ours)[0]}
    check_settings(tmp_path, before, now)
    before["settings"]["guidance_code"] = "3.11:" + 64 * "a"  # as that version hashed
    check_settings(tmp_path, before, now)
    with pytest.raises(ValueError, match="guidance differ"):
        check_settings(tmp_path, before, {"classes": [], "guidance": describe(factories.mode)})


def test_what_json_cannot_hold_becomes_text():
    assert plain(0.5) == 0.5
    assert plain(None) is None
    assert plain([1, 2]) == "[1, 2]"


def test_only_a_folder_of_the_same_settings_is_used_again(tmp_path):
    settings = {"steps": 4, "classes": ("a", "b")}
    before = {"settings": {"steps": 4, "classes": ["a", "b"]}, "images": []}
    check_settings(tmp_path, before, settings)
    with pytest.raises(ValueError, match=r"steps differ \(steps: 4 there, 5 now\)"):
        check_settings(tmp_path, before, settings | {"steps": 5})
    with pytest.raises(ValueError, match=r"seed differ \(seed: None there, 5 now\)"):
        check_settings(tmp_path, before, settings | {"seed": 5})
    check_settings(tmp_path, before, settings | {"package": "2"})  # which earlier versions did not note
    with pytest.raises(ValueError, match="without settings"):
        check_settings(tmp_path, {"name": "a page"}, settings)


def test_code_of_another_python_is_not_compared(tmp_path):
    def check(there, now):
        before = {"settings": {"classes": [], "guidance_code": there}, "images": []}
        check_settings(tmp_path, before, {"classes": [], "guidance_code": now})

    check("3.11:aa", "3.12:bb")
    for pair in (("3.11:aa", "3.11:bb"), (None, "3.11:bb"), ("3.11:aa", None)):
        with pytest.raises(ValueError, match="guidance_code differ"):
            check(*pair)


def makers():
    """Factories that differ in one thing each."""

    def closing_over(value):
        return lambda targets, cloud, seed: value

    def with_default(value):
        def rule(targets, cloud, seed, strength=value):
            return strength

        return rule

    class Rule:
        def __init__(self, strength):
            self.strength = strength

        def __call__(self, targets, cloud, seed):
            return self.strength

        def method(self, targets, cloud, seed):
            return None

    return [
        lambda targets, cloud, seed: None,
        lambda targets, cloud, seed: 1,
        lambda targets, cloud, seed: 2,
        lambda targets, cloud, seed: targets,
        lambda targets, cloud, seed: targets.latents,
        lambda targets, cloud, seed: targets.nodes,
        lambda targets, cloud, seed: lambda denoised, level: denoised,
        lambda targets, cloud, seed: lambda denoised, level: 2 * denoised,
        *(closing_over(value) for value in (1, 2, "1", (1, 2), (1, 3), None, torch.ones(2), torch.zeros(2))),
        *(closing_over(function) for function in (rule, len, torch.nn.Linear)),
        *(with_default(value) for value in (1, 2)),
        *(functools.partial(rule, strength=value) for value in (1, 2)),
        *(Rule(value) for value in (1, 2)),
        Rule(1).__call__,
    ]


def test_code_tells_functions_apart_and_says_the_same_of_the_same():
    first, second = ([code_of(factory) for factory in makers()] for _ in range(2))
    assert first == second
    assert len({code for code, _ in first}) == len(first)
    assert {tuple(unknown) for _, unknown in first[:-1]} == {()}


def test_what_may_change_is_named():
    seen, table = [], {}

    def spy(targets, cloud, seed):
        seen.append(seed)
        return table

    code, unknown = code_of(spy)
    assert unknown == ["seen", "table"]
    seen.append(1)
    assert code_of(spy)[0] == code


def test_code_that_calls_itself_has_an_end():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert code_of(even) != code_of(odd)


def test_the_hash_knows_images_and_labels():
    images, labels = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])

    def of(images, labels):
        return data_hash(Dataset("toy", ImageSet(images, labels), ImageSet(images[:0], labels[:0]), ("a", "b")))

    assert of(images, labels) == of(images.clone(), labels.clone())
    assert len({of(images, labels), of(images + 1, labels), of(images, labels.flip(0))}) == 3


def test_the_hash_is_the_same_for_any_copy_and_as_ever():
    images, labels = torch.linspace(-1, 1, 2002 * 4).view(2002, 1, 2, 2), torch.arange(2002) % 2
    data = Dataset("toy", ImageSet(images, labels), ImageSet(images[:0], labels[:0]), ("a", "b"))
    ever = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
    assert data_hash(data) == ever
    strided = ImageSet(images.clone(memory_format=torch.channels_last).requires_grad_(), labels)
    assert data_hash(Dataset("toy", strided, data.test, ("a", "b"))) == ever
