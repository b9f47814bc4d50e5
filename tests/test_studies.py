"""The studies: their machinery does what `mgd.distill` does, and committed cells come out again."""

import dataclasses
import functools
import json
import statistics

import pytest
import torch
from safetensors.torch import load_file, save_file

import mgd_helpers as mgd
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.data.images import to_uint8
from mgd_helpers.guidance import factories
from studies import (
    ablations,
    cells,
    choose,
    cost,
    data_sets,
    main_table,
    measures,
    phase,
    protocol,
    robust,
    rules,
    set_ablations,
    students,
    vae_quality,
)
from studies.data_sets import DATA_SETS

MACHINE = ("seconds", "peak")  # measures of the machine, not of the method
RESULTS = sorted(cells.RESULTS.glob("*.json"))
VALIDATED = (
    "choose",
    "ablations",
    "set_ablations",
    "phase",
)  # tables that were measured on the validation split


# --- benches, sets and rules


@pytest.mark.slow
def test_sampling_side_by_side_makes_the_images_of_distill(tmp_path):
    from mgd_helpers.data.datasets import read_generated

    bench = protocol.load_bench("digits", kept=tmp_path)
    pull = functools.partial(factories.manifold, strength=0.5, n_neighbors=12, rank=3)
    images = rules.guided(bench, 2, 3, pull=pull, steps=2)
    mgd.distill(
        "digits", images_per_class=2, out=tmp_path / "set", guidance=pull, steps=2, seed=3, latents=bench.latents
    )
    expected = read_generated(tmp_path / "set", bench.data)
    assert torch.equal(images.labels, expected.labels)
    assert (images.images - expected.images).abs().max() < 1.5 / 127.5  # one step of 8 bits, where rounding tips
    assert ((images.images - expected.images).abs() > 1e-3).float().mean() < 1e-3


def test_a_shortened_pull_has_the_length_of_the_manifold_pull_and_the_direction_of_the_target(randn):
    from mgd_helpers.guidance.noise import NoiseLevel

    cloud, denoised = randn(200, 2, 4, 4), randn(3, 2, 4, 4)
    targets = mgd.Targets(cloud[:3], (0, 1, 2), (torch.tensor([0]),) * 3)
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 500, denoised)
    settings = {"strength": 0.7, "n_neighbors": 20, "rank": 4}
    found = rules.shortened_pull(targets, cloud, 0, **settings)(denoised, level) - denoised
    manifold = factories.manifold(targets, cloud, 0, **settings)(denoised, level) - denoised
    straight = cloud[:3] - denoised
    torch.testing.assert_close(found.flatten(1).norm(dim=1), manifold.flatten(1).norm(dim=1))
    cosine = torch.cosine_similarity(found.flatten(1), straight.flatten(1))
    torch.testing.assert_close(cosine, torch.ones(3))
    assert torch.cosine_similarity(manifold.flatten(1), straight.flatten(1)).max() < 0.95


def test_a_tangent_comes_from_a_known_source(randn):
    from mgd_helpers.guidance.noise import NoiseLevel

    cloud = randn(120, 2, 2, 2)
    targets = mgd.Targets(cloud[:3], (0, 1, 2), (torch.tensor([0]),) * 3)
    settings = {"strength": 1.0, "n_neighbors": 12, "rank": 3}
    with pytest.raises(ValueError, match="source must be 'tree' or 'spheres'; got 'moon'"):
        rules.manifold_among(targets, cloud, 0, source="moon", **settings)
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 500, cloud[3:6])
    pulls = [factories.manifold(targets, cloud, 0, **settings)]
    pulls += [rules.manifold_among(targets, cloud, 0, source=source, **settings) for source in ("tree", "spheres")]
    moved = [pull(cloud[3:6], level) for pull in pulls]
    assert min((moved[a] - moved[b]).abs().max() for a, b in ((0, 1), (0, 2), (1, 2))) > 0.01


@pytest.mark.parametrize("rule", ["per_log_snr", "score", "posterior"])
def test_a_scheduled_strength_is_one_of_the_package(rule):
    from mgd_helpers.guidance import strengths
    from mgd_helpers.guidance.noise import NoiseLevel

    signal, noise = torch.tensor([0.6, 0.8]), torch.tensor([0.8, 0.6])
    level = NoiseLevel(signal[0], noise[0], 500, torch.zeros(1, 1, 1, 1), (signal[1], noise[1]))
    assert rules.scheduled(level, rule=rule, rate=0.3) == getattr(strengths, rule)(0.3)(level)


@pytest.mark.slow
def test_the_validation_split_is_held_back(tmp_path):
    whole, bench = (protocol.load_bench("digits", part, kept=tmp_path) for part in ("test", "validation"))
    held, rest = protocol.held_back(whole.data.train)
    assert len(held) == data_sets.validation_images("digits") == 300
    assert len(whole.data.test) == data_sets.test_images("digits")
    assert sorted(held.tolist() + rest.tolist()) == list(range(1500))
    assert torch.equal(bench.data.test.images, whole.data.train.images[held])
    assert torch.equal(bench.latents, whole.latents[rest])
    share = bench.data.test.labels.bincount() / whole.data.train.labels.bincount()
    assert (share - 0.2).abs().max() < 0.01


def test_eight_bits_are_kept_as_they_are(randn):
    from studies.sets import eight_bits, from_uint8, to_uint8

    images = eight_bits(randn(2, 1, 8, 8))
    assert torch.equal(from_uint8(to_uint8(images)), images)
    assert torch.equal(to_uint8(torch.tensor([-2.0, -1.0, 0.999, 2.0])), torch.tensor([0, 0, 255, 255]).byte())


# --- tuning


def test_every_row_has_the_same_budget(monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    for row, settings in choose.ROWS.items():
        found = choose.cells_of("digits")
        first = choose.candidates(found, row)
        for place, one in enumerate(first):  # the second scale wins
            for seed in range(choose.SETS):
                found(lambda place=place: {"students": [0.5 - abs(place - 1) / 10]}, row=row, **one, seed=seed)
        tried = choose.candidates(found, row)
        assert len({repr(one) for one in tried}) == len(tried) == 6, row
        if settings.samples and len(settings.settings) > 1:
            assert [one["scale"] for one in tried] == [*choose.SCALES, *[choose.SCALES[1]] * 3]
            assert choose.best_scale("digits", row) == choose.SCALES[1]


def test_rows_on_sets_have_one_setting_for_all_data_sets_each_at_its_own_scale(monkeypatch, tmp_path):
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    row, scales = "match", dict(zip(DATA_SETS, choose.SCALES, strict=True))
    for data, scale in scales.items():
        found = choose.cells_of(data)
        for settings in choose.ROWS[row].settings:
            for other in choose.SCALES if settings == choose.ROWS[row].settings[0] else [scale]:
                # 0.3 is best in the mean, though 0.1 is on digits
                gain = {"digits": {0.1: 2, 0.3: 1}}.get(data, {0.3: 1}).get(settings["rate"], 0)
                for seed in range(choose.SETS):
                    result = {"students": [0.5 + (other == scale) / 10 + gain / 100]}
                    found(lambda result=result: result, row=row, scale=other, **settings, seed=seed)
    assert choose.chosen("digits", [row]) == {row: {"scale": 1.5, "rate": 0.3}}
    assert choose.chosen("cifar10", [row]) == {row: {"scale": 4.0, "rate": 0.3}}
    with pytest.raises(ValueError, match=r"data 'digits' is not tuned yet. Run `python -m studies choose digits`"):
        choose.chosen("digits", ["mode"])


def test_the_defaults_of_the_guidance_on_sets_won_on_the_validation_splits():
    import inspect

    won = choose.chosen("digits", ["match+transport"])["match+transport"]
    defaults = {name: given.default for name, given in inspect.signature(factories.match_transport).parameters.items()}
    assert {name: won[name] for name in ("rate", "strength")} == {name: defaults[name] for name in ("rate", "strength")}


def test_no_setting_that_was_tried_is_clearly_ahead_of_the_defaults_of_the_manifold_pull():
    def reached(settings):
        found = [(choose.cells_of(data), choose.best_scale(data, "tangent")) for data in DATA_SETS]
        return statistics.mean(
            choose.validation_accuracy(one, "tangent", {"scale": scale, **settings}) for one, scale in found
        )

    defaults = {field.name: field.default for field in dataclasses.fields(mgd.ManifoldPull)}
    tried = choose.ROWS["tangent"].settings
    [packaged] = [settings for settings in tried if all(defaults[name] == value for name, value in settings.items())]
    assert reached(packaged) > max(map(reached, tried)) - 0.001


# --- packs


@pytest.fixture
def packs(monkeypatch, tmp_path):
    """A folder of packs and results of digits that is empty, and a pack of two sets in it that nothing else made."""
    monkeypatch.setattr(cells, "RESULTS", tmp_path)
    images, generator = {}, torch.Generator().manual_seed(0)
    labels = torch.arange(2).repeat_interleave(3)
    for name, count in (("test", 40), ("images 0 random real", 6), ("images 0 mode", 6)):
        images[name] = torch.randint(0, 100, (count, 1, 16, 16), generator=generator).byte()
    images["test labels"] = torch.arange(40) % 2
    images["test"][1::2] += 100  # the second class is lighter, and one can learn it
    for row in ("random real", "mode"):
        images[f"images 0 {row}"][3:] += 100
        images[f"labels 0 {row}"] = labels.clone()
    (tmp_path / "packs").mkdir()
    save_file(images, tmp_path / "packs" / "digits_1.safetensors", metadata={"note": "by hand"})
    return tmp_path


@pytest.mark.slow
def test_students_learn_from_a_pack_where_there_is_no_data(monkeypatch, packs):
    monkeypatch.setattr(protocol, "load_bench", lambda *_, **__: pytest.fail("data was read"))
    monkeypatch.setattr(students, "load_bench", protocol.load_bench)
    asked = {"images_per_class": [1], "rows": ["random real", "mode"], "sets": 1, "kept": packs}
    students.run("digits", networks=["resnet18"], make=True, **asked)
    assert not list(packs.glob("*.json"))
    students.run("digits", networks=["resnet18", "resnetap10"], workers=2, **asked)  # of ten only, so not here
    found = cells.read("students_resnet18_1", "digits")
    assert found["note"] == "by hand" and found["settings"] == {"steps": protocol.STEPS}
    assert [cell["settings"]["row"] for cell in found["cells"]] == ["mode", "random real"]
    for cell in found["cells"]:
        assert cell["settings"].items() >= {"images_per_class": 1, "network": "resnet18", "seed": 0}.items()
        assert min(cell["result"]["students"]) > 0.9 and cell["result"]["nearest_neighbor"] > 0.9
        assert len(cell["result"]["students"]) == students.STUDENTS["resnet18"][1]
    monkeypatch.setattr(students, "cell", lambda *_, **__: pytest.fail("computed twice"))
    students.run("digits", networks=["resnet18"], **asked)


@pytest.mark.slow
def test_a_pack_gets_the_sets_that_it_lacks(tmp_path):
    first = students.pack("digits", 1, [("random real", 0)], kept=tmp_path)
    before = load_file(first)
    again = students.pack("digits", 1, [("random real", 0), ("random real", 1)], kept=tmp_path)
    content = load_file(again)
    assert first == again and set(content) - set(before) == {"images 1 random real", "labels 1 random real"}
    assert all(torch.equal(content[name], part) for name, part in before.items())
    bench = protocol.load_bench("digits", kept=tmp_path)
    found = rules.random_real(bench, 1, 1)
    assert torch.equal(content["images 1 random real"], to_uint8(found.images))
    assert torch.equal(content["test labels"], bench.data.test.labels)


# --- cells come out again


def recompute(table, data, kept):
    """The settings of one cell of a table, and a function that computes it."""
    if table == "vae":
        steps = min(vae_quality.VAE_STEPS)
        settings = {"vae_steps": steps, "row": "autoencoder", "seed": 0}
        return settings, functools.partial(vae_quality.error, data, steps, kept=kept)
    if data == "toy":
        settings = {"row": "toy", "angle": round(phase.ANGLES[2], 4), "blur": 0.0, "steps": phase.FEW_STEPS, "seed": 0}
        return settings, functools.partial(phase.toy_cell, phase.ANGLES[2], 0.0, phase.FEW_STEPS, 0)
    bench = protocol.load_bench(data, "validation" if table in VALIDATED else "test", kept=kept)
    if table.startswith("students"):
        _, network, images = table.split("_")
        one = {"images_per_class": int(images), "network": network, "row": "nearest real", "seed": 0}
        return one, lambda: students.cell(students.pack(data, int(images), [("nearest real", 0)], kept=kept), **one)
    if table == "phase":
        return {"row": "pipeline", "seed": 0}, functools.partial(phase.pipeline_cell, bench, 0)
    if table == "choose":
        one = {"scale": 1.5, "rate": 0.2, "strength": 0.5}
        rule = choose.ROWS["match+transport"].bind(**one)
        return {"row": "match+transport", **one, "seed": 0}, functools.partial(choose.cell, bench, rule, 0)
    if table == "set_ablations":
        rule = set_ablations.rule(data)
        return {"factor": "base", "row": "base", "seed": 0}, functools.partial(ablations.cell, bench, rule, 0)
    if table == "ablations":
        factors, _ = ablations.variants(data)
        rule = factors["targets"]["k-means"]
        return {"factor": "targets", "row": "k-means", "seed": 0}, functools.partial(ablations.cell, bench, rule, 0)
    rows = main_table.rules_by_name(data)
    ten = {"images_per_class": 10}
    return {
        "main": (
            ten | {"network": "convnet3", "row": "match+transport", "seed": 0},
            functools.partial(main_table.cell, bench, 10, rows["match+transport"], 0),
        ),
        "robust": ({"row": "unguided", "seed": 0}, functools.partial(robust.cell, bench, rows["unguided"], 0)),
        "cost": ({"row": "tangent", "seed": 0}, functools.partial(cost.cell, bench, rows["tangent"], 0)),
        "measures": (
            ten | {"kind": "distances", "row": "unguided", "seed": 0},
            functools.partial(measures.distances_cell, bench, 10, rows["unguided"], 0),
        ),
    }[table]


def close(found, kept, times: float = 1) -> bool:
    """Equal up to what another processor's rounding may do to a short training, or `times` as much."""
    if isinstance(kept, dict):
        return all(key.startswith(MACHINE) or close(found[key], kept[key], times) for key in kept)
    if isinstance(kept, list):
        return len(found) == len(kept) and all(close(*pair, times) for pair in zip(found, kept, strict=True))
    return abs(found - kept) <= times * max(0.03, 0.05 * abs(kept))


@pytest.mark.slow
@pytest.mark.reproduce
@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_cell_comes_out_again_from_scratch(file, tmp_path):
    """Those of digits always, the others where MGD_DATA_DIR names their data: minutes for each of them."""
    content = json.loads(file.read_text())
    profile = PROFILES.get(content["data"])  # a toy has none
    if profile and profile.hub_id and not profile.local():
        pytest.skip(f"{profile.name} is not at hand")
    settings, compute = recompute(content["table"], content["data"], tmp_path)
    [kept] = [cell["result"] for cell in content["cells"] if cell["settings"] == settings]
    # the classifier of the larger sets trains for long: on another processor density moved by 14 %
    times = 3 if content["table"] == "measures" and profile and profile.hub_id else 1
    if content["table"] == "students_resnet18_1":  # students of one such set differ by 6 points, and so do processors
        times = 3
    assert close(compute(), kept, times)
