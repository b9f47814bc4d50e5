"""The studies: cells resume, their machinery does what `mgd.distill` does, and committed cells come out again."""

import dataclasses
import functools
import json
import statistics
from pathlib import Path

import pandas
import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers.data.catalog import PROFILES
from mgd_helpers.guidance import factories

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "studies"
MACHINE = ("seconds", "peak")  # measures of the machine, not of the method
KEPT = sorted((FOLDER / "results").glob("*.json"))


@pytest.fixture
def studies(monkeypatch, tmp_path):
    """The folder's modules, with sets and latents kept in tmp_path and results left where they are."""
    monkeypatch.syspath_prepend(FOLDER)
    import protocol
    import rules

    monkeypatch.setattr(protocol, "KEPT", tmp_path)
    monkeypatch.setattr(rules, "KEPT", tmp_path)
    protocol.bench.cache_clear()
    yield protocol
    protocol.bench.cache_clear()


def test_sampling_side_by_side_makes_the_images_of_distill(studies, tmp_path):
    import rules

    from mgd_helpers.data.datasets import read_generated

    stand = studies.bench("digits")
    pull = functools.partial(factories.manifold, strength=0.5, n_neighbors=12, rank=3)
    images = rules.guided(stand, 2, 3, pull=pull, steps=2)
    mgd.distill(
        "digits", images_per_class=2, out=tmp_path / "set", guidance=pull, steps=2, seed=3, latents=stand.latents
    )
    expected = read_generated(tmp_path / "set", stand.data)
    assert torch.equal(images.labels, expected.labels)
    assert (images.images - expected.images).abs().max() < 1.5 / 127.5  # one step of 8 bits, where rounding tips
    assert ((images.images - expected.images).abs() > 1e-3).float().mean() < 1e-3


def test_a_shortened_pull_has_the_length_of_the_manifold_pull_and_the_direction_of_the_target(studies):
    import rules

    from mgd_helpers.guidance.noise import NoiseLevel

    draw = torch.Generator().manual_seed(0)
    cloud, denoised = torch.randn(200, 2, 4, 4, generator=draw), torch.randn(3, 2, 4, 4, generator=draw)
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


def test_the_validation_split_is_held_back(studies):
    whole, stand = studies.bench("digits"), studies.bench("digits", "validation")
    held, rest = studies.held_back(whole.data.train)
    assert len(held) == 300
    assert sorted(held.tolist() + rest.tolist()) == list(range(1500))
    assert torch.equal(stand.data.test.images, whole.data.train.images[held])
    assert torch.equal(stand.latents, whole.latents[rest])
    share = stand.data.test.labels.bincount() / whole.data.train.labels.bincount()
    assert (share - 0.2).abs().max() < 0.01


def test_a_cell_is_computed_once_and_survives_an_interruption(studies, monkeypatch, tmp_path):
    monkeypatch.setattr(studies, "RESULTS", tmp_path)
    cells = studies.Cells("toy", "digits", steps=3)
    assert cells("a/0", lambda: 0.5) == 0.5
    with pytest.raises(KeyboardInterrupt):
        cells("a/1", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    again = studies.Cells("toy", "digits", steps=3)
    assert again("a/0", lambda: pytest.fail("computed twice")) == 0.5
    assert again.content["cells"] == {"a/0": 0.5}
    with pytest.raises(ValueError, match="holds cells of other settings"):
        studies.Cells("toy", "digits", steps=4)


def test_every_candidate_row_has_the_same_budget(studies):
    import tune

    assert {len(candidates) for candidates in tune.CANDIDATES.values()} == {6}
    assert all(len({tune.options(pull) for pull in pulls}) == 6 for pulls in tune.CANDIDATES.values())


def test_the_defaults_of_the_manifold_pull_won_on_the_validation_splits(studies):
    import tune

    def gain(pull):
        """Mean over data sets and sets of the accuracy beyond the unguided pipeline."""
        gains = []
        for data in studies.STUDENTS:
            cells = json.loads((FOLDER / "results" / f"tune_{data}.json").read_text())["cells"]
            pairs = [[cells[f"{row}/{seed}"] for seed in range(tune.SETS)] for row in (name(pull), "unguided/-")]
            gains.append(
                statistics.mean(map(statistics.mean, pairs[0])) - statistics.mean(map(statistics.mean, pairs[1]))
            )
        return statistics.mean(gains)

    def name(pull):
        return f"tangent/{tune.options(pull)}"

    won = max(tune.CANDIDATES["tangent"], key=gain).keywords
    defaults = {field.name: field.default for field in dataclasses.fields(mgd.ManifoldPull)}
    assert won == {key: defaults[key] for key in won}


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_committed_results_say_what_made_them(file):
    content = json.loads(file.read_text())
    assert {"table", "data", "note", "settings", "hardware", "versions", "cells"} == set(content)
    assert file.stem == f"{content['table']}_{content['data']}"
    assert content["cells"]
    if content["data"] == "cifar10":
        assert "JPEG" in content["note"]


def test_every_table_has_results():
    assert {file.stem.split("_")[0] for file in KEPT} >= {"tune", "main", "measures", "ablations", "robust"}


def test_shares_become_those_of_whole_images(studies, monkeypatch, tmp_path):
    import report

    monkeypatch.setattr(report, "RESULTS", tmp_path)
    counts = {"ours": ((286, 289), (288, 287)), "theirs": ((278, 281), (280, 279))}
    cells = {
        f"10/convnet3/{row}/{seed}": {
            "students": [round(right / 297, 5) for right in of_set],
            "nearest_neighbor": round(of_set[0] / 297, 5),
        }
        for row, of_sets in counts.items()
        for seed, of_set in enumerate(of_sets)
    }
    (tmp_path / "main_digits.json").write_text(json.dumps({"cells": cells}))
    for measure in ("students", "nearest_neighbor"):
        found = report.scores(report.read("main", "digits")["cells"], "10/convnet3", measure)
        for pair in (report.difference(found, "ours", "theirs"), report.pooled([found], "ours", "theirs")):
            assert (pair.mean, pair.verdict, pair.p_value) == (pytest.approx(8 / 297, abs=1e-12), "not told apart", 1)


@pytest.mark.parametrize(
    "file", [file for file in KEPT if file.stem.startswith(("main", "ablations"))], ids=lambda file: file.stem
)
def test_cells_are_shares_of_as_many_images_as_the_report_thinks(studies, file):
    import report

    content = json.loads(file.read_text())
    kept, exact = content["cells"], report.read(content["table"], content["data"])["cells"]
    for key, cell in kept.items():
        if isinstance(cell, dict):
            assert exact[key]["students"] == pytest.approx(cell["students"], abs=5.1e-6)
            assert exact[key]["nearest_neighbor"] == pytest.approx(cell["nearest_neighbor"], abs=5.1e-6)


@pytest.mark.parametrize("measured", [["digits"], ["digits", "cifar10"]])
def test_a_sampler_is_judged_by_its_own_unguided_sets(studies, monkeypatch, measured):
    import report

    guided = {"base/base": 0.7, "sampler/DDIM 10": 0.6, "sampler/DPM++ 10": 0.5}
    plain = {"part/no guidance": 0.6, "sampler, unguided/DDIM 10": 0.58, "sampler, unguided/DPM++ 10": 0.51}
    cells = {
        f"{key}/{seed}": {"students": [accuracy + 0.01 * seed * (key in guided)]}
        for key, accuracy in (guided | plain).items()
        for seed in range(2)
    }
    monkeypatch.setattr(report, "read", lambda table, data: {"cells": cells if data in measured else {}})
    assert report.ablated("sampler, unguided") == measured
    found = report.sampler_gains()
    assert {row: round(pair.mean, 6) for row, pair in found.items()} == {
        "DDIM 10": 0.025, "DDIM 25": 0.105, "DPM++ 10": -0.005
    }  # fmt: skip
    assert {pair.sets for pair in found.values()} == {2 * len(measured)}
    del cells["part/no guidance/1"], cells["sampler/DPM++ 10/1"]
    assert list(report.sampler_gains()) == ["DDIM 10"]
    del cells["sampler, unguided/DDIM 10/1"]
    assert report.ablated("sampler, unguided") == []


def test_a_tangent_comes_from_a_known_source(studies):
    import rules

    from mgd_helpers.guidance.noise import NoiseLevel

    cloud = torch.randn(120, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    targets = mgd.Targets(cloud[:3], (0, 1, 2), (torch.tensor([0]),) * 3)
    settings = {"strength": 1.0, "n_neighbors": 12, "rank": 3}
    with pytest.raises(ValueError, match="source must be 'tree' or 'spheres'; got 'moon'"):
        rules.manifold_among(targets, cloud, 0, source="moon", **settings)
    level = NoiseLevel(torch.tensor(0.6), torch.tensor(0.8), 500, cloud[3:6])
    pulls = [factories.manifold(targets, cloud, 0, **settings)]
    pulls += [rules.manifold_among(targets, cloud, 0, source=source, **settings) for source in ("tree", "spheres")]
    moved = [pull(cloud[3:6], level) for pull in pulls]
    assert min((moved[a] - moved[b]).abs().max() for a, b in ((0, 1), (0, 2), (1, 2))) > 0.01


GUIDED = ("mgd3", "mode", "tangent", "soft", "released")


def compared(report, data, row, base, measure="students"):
    found = report.scores(report.read("main", data)["cells"], "10/convnet3", measure)
    return report.difference(found, row, base)


def verdicts(report, row, base, measure="students"):
    return [compared(report, data, row, base, measure).verdict for data in ("digits", "fashion_mnist", "cifar10")]


def pooled(report, row, base, images_per_class=10, network="convnet3"):
    return report.pooled(report.everywhere(images_per_class, network), row, base)


def test_what_the_page_says_of_the_data_sets_together(studies):
    """The statements of "In short", and of the paragraphs on means over the data sets, in their order."""
    import report

    same, better, worse = "not told apart", "better", "worse"
    ten, one = (report.pooled_table(images_per_class).set_index("row") for images_per_class in (10, 1))
    assert ten.verdict["mode"] == better and 0.01 < ten.difference["mode"] < 0.014
    for data in studies.STUDENTS:
        after_holm = report.main_table(data, 10).set_index("row")["verdict"]
        assert set(after_holm[[*GUIDED]]) == {same}
    assert one.verdict["mode"] == better and 0.05 < one.difference["mode"] < 0.07
    assert pooled(report, "tangent", "mode").verdict == same
    assert pooled(report, "tangent", "mode", 1).verdict == worse
    to_real = report.pooled_table(10, base="nearest real").set_index("row")
    assert set(to_real.verdict[[*GUIDED]]) == {worse}
    assert pooled(report, "mode", "nearest real", 1).verdict == same
    assert ten.verdict["released"] == one.verdict["released"] == same
    assert pooled(report, "random real", "unguided").verdict == better
    assert ten.accuracy.idxmax() == "distribution matching"
    assert pooled(report, "mode", "distribution matching", 1).verdict == better
    assert one.accuracy["decoded targets"] > one.accuracy[[*GUIDED]].max()
    assert one.accuracy.idxmin() == "random real"


def test_what_the_page_says_of_fifty_images(studies):
    import report

    fifty = report.pooled_table(50).set_index("row")
    assert set(fifty.verdict[[*GUIDED]]) == {"not told apart"} and set(fifty.sets) == {2}
    assert pooled(report, "random real", "nearest real", 50).verdict == "not told apart"
    assert pooled(report, "random real", "unguided", 50).verdict == "better"
    assert fifty.accuracy.idxmax() == "distribution matching"


def test_what_the_page_says_part_by_part(studies):
    import report

    same, better, worse = "not told apart", "better", "worse"

    def verdicts_of(factor):
        """Variant -> verdicts of both judges, means over the data sets."""
        students, nearest = (report.factor_table(factor, measure) for measure in ("students", "nearest_neighbor"))
        return {variant: (students[variant].verdict, nearest[variant].verdict) for variant in students}

    targets = verdicts_of("targets")
    assert targets.pop("nearest member") == (same, worse)
    assert set(targets.values()) == {(same, same)}
    nearest = {
        variant: 100 * pair.mean
        for factor in ("targets", "tangent")
        for variant, pair in report.factor_table(factor, "nearest_neighbor").items()
    }
    assert -0.7 < nearest["nearest member"] < -0.4
    neighbourhood = verdicts_of("neighbourhood")
    assert {students for students, _ in neighbourhood.values()} == {same}
    sizes = ("k 6, d 2", "k 12, d 3", "k 48, d 16", "k 100, d 32")
    by_size = [100 * report.factor_table("neighbourhood", "nearest_neighbor")[size].mean for size in sizes]
    assert by_size == sorted(by_size) and -2.3 < by_size[0] < -1.9 and 1.2 < by_size[-1] < 1.6
    assert [neighbourhood[size][1] for size in (*sizes, "k auto, d auto")] == [worse, same, better, better, better]
    assert verdicts_of("tangent") == {
        "at the noisy sample": (same, worse),
        "at the target": (same, worse),
        "of points on spheres": (same, worse),
        "of tree nodes": (same, same),
    }
    assert -1.2 < nearest["at the target"] < -0.8
    assert -2.3 < nearest["at the noisy sample"] < -1.8
    assert -2.9 < nearest["of points on spheres"] < -2.5
    strength = verdicts_of("strength")
    assert strength["0.4"] == (worse, worse)
    assert {strength[rule] for rule in ("per log-SNR 0.3", "score 0.1", "posterior 0.1")} == {(same, worse)}
    assert [students for students, _ in verdicts_of("stop").values()] == [same] * 4
    nearest = [pair.mean for pair in report.factor_table("stop", "nearest_neighbor").values()]
    assert len(nearest) == 4 and nearest == sorted(nearest, reverse=True)
    sampler = verdicts_of("sampler")
    assert sampler.pop("DPM++ 10") == (worse, same) and set(sampler.values()) == {(same, same)}
    assert -0.004 < report.factor_table("sampler")["DPM++ 10"].mean < -0.003
    gains, nearest = (report.sampler_gains(measure) for measure in ("students", "nearest_neighbor"))
    assert all(pair.mean > 0 for pair in (*gains.values(), *nearest.values())) and len(gains) == len(nearest) == 7
    assert all(abs(judge["DDIM 10"].mean - judge["DDIM 250"].mean) < 0.005 for judge in (gains, nearest))
    assert {pair.verdict for pair in gains.values()} == {same}
    assert {nearest[fast].verdict for fast in ("DDIM 10", "DPM++ 10")} == {"better"}
    intervals = [
        pair
        for factor in ("part", "targets", "neighbourhood", "tangent", "strength", "stop", "sampler")
        for measure in report.JUDGES.values()
        for pair in report.factor_table(factor, measure).values()
    ]
    assert 70 < len(intervals) < 90


def test_what_the_page_says_of_labels_and_augmentation(studies):
    import report

    for data in studies.STUDENTS:
        table = report.robust_table(data).set_index("row")
        assert len(table) == len(report.ROWS) and table.sets.min() == 2
        scores = table[["label_robust", "augmentation_robust"]]
        assert (scores.loc[[*GUIDED]] - scores.loc["random real"]).abs().max(axis=None) < 0.02
        if data != "digits":
            assert set(scores.idxmax()) == {"distribution matching"}


def test_what_the_page_says_of_the_cost(studies):
    import report

    for title in report.TITLES.values():
        table = report.cost_table().set_index("data").loc[title].set_index("row")
        guided = table.loc[["mode", "tangent", "soft"]]
        assert set(guided.evaluations_per_image) == {table.evaluations_per_image["unguided"]}
        assert table.evaluations_per_image["mgd3"] == 2 * table.evaluations_per_image["unguided"]
        assert 0.7 < guided.seconds_per_image.mean() / table.seconds_per_image["unguided"] < 1.4
        assert table.seconds_per_image.idxmax() == "minimax"
        to_matching = table.seconds_per_image["distribution matching"] / guided.seconds_per_image.mean()
        assert 0.8 < to_matching < 1.25 if title.startswith("CIFAR") else to_matching > 1.5
    assert 1.35 < guided.seconds_per_image["tangent"] / guided.seconds_per_image["soft"] < 1.45  # of CIFAR-10


def test_what_the_page_says_of_worse_autoencoders(studies):
    import report

    best, second, third, worst = (line for _, line in report.vae_table().iterrows())
    rows = ["decoded targets", "mode", "tangent"]
    assert 9 < second.error / best.error < 13 and 300 < third.error / best.error < 400 and worst.error > 0.5
    assert (best[rows] - second[rows]).abs().max() < 0.005
    assert (best[rows] - third[rows]).between(0.03, 0.055).all()
    assert worst[[*rows, "unguided"]].max() < 0.3
    assert best["tangent"] - best["unguided"] > 0.095 and best["mode"] - best["unguided"] > 0.1
    assert all(line["mode"] > line["tangent"] for line in (best, second, third, worst))


def test_what_the_page_says_of_another_student(studies):
    import report

    one = report.pooled_table(1, "resnet18").set_index("row")
    assert one.difference.abs().idxmax() == "distribution matching"
    assert one.high["distribution matching"] < -0.1
    assert set(one.verdict.dropna()) == {"not told apart"}
    assert (one.high - one.low).drop(["nearest real", "minimax"]).min() > 0.15

    fifty = report.pooled_table(50, "resnet18").set_index("row")
    assert set(fifty.verdict.dropna()) == {"not told apart"} and set(fifty.sets) == {2}
    assert 0 < fifty.difference["distribution matching"] < 0.01
    assert report.pooled_table(50).set_index("row").difference["distribution matching"] > 0.06
    photographs = report.main_table("cifar10", 50, "resnet18").set_index("row")
    assert photographs.high["random real"] < 0
    lucky = report.main_table("fashion_mnist", 50, "resnet18").set_index("row").loc["tangent"]
    assert lucky.verdict == "better" and lucky.high - lucky.low < 0.0015
    sets = report.scores(report.read("main", "fashion_mnist")["cells"], "50/resnet18")
    gaps = [ours[0] - theirs[0] for ours, theirs in zip(sets["tangent"], sets["unguided"], strict=True)]
    assert abs(gaps[0] - gaps[1]) == pytest.approx(1e-4)

    judged = report.pooled_table(10, "resnet18").set_index("row")
    assert pooled(report, "mode", "unguided", network="resnet18").verdict == "better"
    assert judged.verdict["mode"] == "not told apart"
    to_real = report.pooled_table(10, "resnet18", base="nearest real").set_index("row")
    assert (to_real.difference[[*GUIDED]] < 0).all()
    lead = {
        network: report.main_table("cifar10", 10, network).set_index("row").difference["distribution matching"]
        for network in ("convnet3", "resnet18")
    }
    assert lead["convnet3"] > 0.09 and 0.01 < lead["resnet18"] < 0.02


def test_the_claims_of_the_page_hold(studies):
    """Each statement of the paragraphs after the figures, in its order."""
    import report

    same, better, worse = "not told apart", "better", "worse"
    assert verdicts(report, "mode", "unguided") == [better, same, better]
    assert verdicts(report, "mode", "unguided", "nearest_neighbor") == [better] * 3
    assert verdicts(report, "tangent", "mode") == [worse, same, same]
    part, nearest = (report.factor_table("part", measure) for measure in ("students", "nearest_neighbor"))
    assert {pair.verdict for pair in part.values()} == {same}
    assert nearest["mode, same length"].verdict == better
    degrees = ("softness 0.75", "softness 0.5", "softness 0.25", "mode, same strength")
    means = [nearest[degree].mean for degree in degrees]
    assert means == sorted(means)
    assert {nearest[degree].verdict for degree in degrees} == {better}
    assert len(report.ablated("part")) == 3
    for row in GUIDED:
        assert better not in verdicts(report, row, "nearest real")
        assert verdicts(report, "distribution matching", row) == [better] * 3
        for data in ("fashion_mnist", "cifar10"):
            assert compared(report, data, "distribution matching", row).mean > 0.04
        assert better not in verdicts(report, row, "mode")
    assert verdicts(report, "released", "unguided") == [same] * 3
    for row, ahead in (("tangent", []), ("soft", ["cifar10"])):
        both = [
            data
            for data in studies.STUDENTS
            if all(compared(report, data, row, base).verdict == better for base in ("unguided", "mgd3"))
        ]
        assert both == ahead
    # tuning
    tried = pandas.concat([report.tuning(data) for data in studies.STUDENTS])
    weak = tried[tried.strength < 0.15].groupby(["data", "rule", "strength"]).difference.mean()
    assert weak.abs().max() < 0.5
    strong = tried[tried.strength == 1].groupby(["data", "rule"]).difference.mean().unstack()
    assert (strong["tangent, k 24, d 8"] > strong["tangent, k 12, d 3"]).all()
    fashion = tried[(tried.data == "Fashion-MNIST") & (tried.rule == "mode")].groupby("strength").difference.mean()
    assert fashion.max() > 1
    assert abs(compared(report, "fashion_mnist", "mode", "unguided").mean) < 0.002
    # measures without a student, and the audit
    columns = {name: name for name in ("precision", "diversity", "frechet_distance")}
    for data in studies.STUDENTS:
        found = report.measures_table(report.read("measures", data)["cells"], 10, columns).set_index("row")
        assert found.precision["mode"] > found.precision["unguided"]
        assert found.diversity["mode"] < min(found.diversity["tangent"], found.diversity["unguided"])
    distances = report.measures_table(report.read("measures", "fashion_mnist")["cells"], 10, columns).set_index("row")
    assert distances.frechet_distance["nearest real"] < distances.frechet_distance["distribution matching"]
    assert compared(report, "fashion_mnist", "distribution matching", "nearest real").verdict == better
    for data in ("digits", "cifar10"):
        audits = {
            row: report.read("measures", data)["cells"][f"10/audit/{row}/0"]
            for row in ("unguided", "tangent", "mode", "decoded targets")
        }
        low, high = ({row: audit["nearer_share_interval"][side] for row, audit in audits.items()} for side in (0, 1))
        assert min(low["mode"], low["decoded targets"]) > 0.05
        assert min(low["mode"], low["decoded targets"]) > high["unguided"]
        assert low["tangent"] < high["unguided"]
        assert all(abs(audit["membership_auc"] - 0.5) < 0.05 for audit in audits.values())
    assert 0 < audits["mode"]["near_duplicates"] < audits["decoded targets"]["near_duplicates"]
    # the sampler's share
    sampler, published = (compared(report, "digits", row, "unguided").mean for row in ("unguided, DDPM", "mgd3"))
    assert 0.5 < sampler / published < 1
    # neighbours and networks
    for data in studies.STUDENTS:
        nearest = report.main_table(data, 10).set_index("row")
        assert nearest["1-NN"].drop(["distribution matching"], errors="ignore").idxmax() == "decoded targets"
    real = report.main_table("digits", 10).set_index("row")["accuracy"].drop(["distribution matching"], errors="ignore")
    assert real.idxmax() == "k-centre"
    assert all(
        report.main_table(data, 10).set_index("row")["accuracy"].idxmin() == "k-centre"
        for data in ("fashion_mnist", "cifar10")
    )


def recompute(studies, table, data):
    """The key of one cell of a table, and a function that computes it."""
    import ablations
    import cost
    import main_table
    import measures
    import robust
    import rules
    import tune
    import vae_quality

    if table == "vae":
        steps = min(vae_quality.VAE_STEPS)
        return f"{steps}/error", lambda: vae_quality.error(steps)
    stand = studies.bench(data, "validation" if table in ("tune", "ablations") else "test")
    if table == "tune":
        pull = tune.CANDIDATES["tangent"][0]
        rule = functools.partial(rules.guided, pull=pull)
        return f"tangent/{tune.options(pull)}/0", lambda: tune.cell(stand, rule, 0)
    if table == "ablations":
        factors, _ = ablations.variants(data)
        return "targets/k-means/0", lambda: ablations.cell(stand, factors["targets"]["k-means"], 0)
    rows = main_table.rows(data)
    if table == "main":
        return "10/convnet3/tangent/0", lambda: main_table.students_cell(stand, 10, rows["tangent"], 0, "convnet3")
    if table == "robust":
        return "unguided/0", lambda: robust.cell(stand, rows["unguided"], 0)
    if table == "cost":
        return "tangent", lambda: cost.cost(stand, rows["tangent"])
    return "10/unguided/0", lambda: measures.measures(stand, 10, rows["unguided"], 0)


def close(found, kept, times: float = 1) -> bool:
    """Equal up to what another processor's rounding may do to a short training, or `times` as much."""
    if isinstance(kept, dict):
        return all(key.startswith(MACHINE) or close(found[key], kept[key], times) for key in kept)
    if isinstance(kept, list):
        return len(found) == len(kept) and all(close(*pair, times) for pair in zip(found, kept, strict=True))
    return abs(found - kept) <= times * max(0.03, 0.05 * abs(kept))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_a_cell_comes_out_again_from_scratch(studies, file):
    """Those of digits always, the others where MGD_DATA_DIR names their data: minutes for each of them."""
    content = json.loads(file.read_text())
    profile = PROFILES[content["data"]]
    if profile.hub_id and not profile.local():
        pytest.skip(f"{profile.name} is not at hand")
    key, compute = recompute(studies, content["table"], content["data"])
    # the classifier of the larger sets trains for long: on another processor density moved by 14 %
    times = 3 if content["table"] == "measures" and profile.hub_id else 1
    assert close(compute(), content["cells"][key], times)
