"""tools.figures: the theory figures are drawn with the package, show what their captions say, and come out the same."""

import math
import re

import matplotlib.pyplot as plt
import pytest
import torch

import mgd_helpers as mgd
from mgd_helpers.evaluation.precision_recall import precision_recall
from mgd_helpers.evaluation.tables import nearest_neighbor_accuracy
from tools import figures
from tools.__main__ import ROOT, main
from tools.figures import (
    clustering,
    encoding,
    guidance,
    luck,
    measures,
    noise,
    playground,
    question,
    refreshers,
    sets,
    tangent,
)
from tools.figures.canvas import STAR
from tools.figures.horseshoe import horseshoe


def test_the_pages_show_every_figure_that_is_drawn_and_no_other():
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "book").rglob("*.md"))
    shown = set(re.findall(r"figures/(\w+)\.svg", pages))
    assert shown == set(figures.FIGURES) == {file.stem for file in (ROOT / "book" / "figures").iterdir()}


def test_a_second_run_writes_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", {name: figures.FIGURES[name] for name in ("encoding", "tree")})
    for run in ("one", "two"):
        figures.write(tmp_path / run, png=tmp_path / "png")
    for name in figures.FIGURES:
        first, second = ((tmp_path / run / f"{name}.svg").read_bytes() for run in ("one", "two"))
        assert first == second and b"<dc:date>" not in first
        assert (tmp_path / "png" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(figures.FIGURES) - {"encoding", "tree", "stops"}))
def test_every_figure_can_be_drawn(name, tmp_path):
    draw(name, tmp_path)


def draw(name, folder):
    figure = figures.FIGURES[name]()
    figure.savefig(folder / "figure.svg")
    plt.close(figure)


def test_the_horseshoe_bends_around_the_origin():
    points = horseshoe(100, noise=0.0, seed=0)
    assert points.shape == (100, 2)
    assert points[:, 1].max() > 1.6 and points[0, 0] > 1 and points[-1, 0] < -1.9
    assert not torch.equal(horseshoe(100, noise=0.1, seed=0), horseshoe(100, noise=0.1, seed=1))


def test_the_figures_of_noise_show_what_their_captions_say():
    points = noise.cloud()
    guesses = torch.stack([noise.best_guess(noise.sample_at(share)[None], share)[0] for share in noise.GUESSED])
    torch.testing.assert_close(guesses[0], points.mean(0))
    to_nearest = torch.cdist(guesses, points).amin(1)
    assert (to_nearest[:2] > 0.2).all() and to_nearest[-1] < 0.03
    told = [(noise.weights_of(noise.sample_at(share), share) > 1 / len(points)).sum() for share in noise.GUESSED[1:]]
    assert told == sorted(told, reverse=True), "the weight gathers on fewer points"

    back = noise.generated(points.shape, 100)
    assert set(noise.SHARES) <= set(back) and torch.cdist(back[0.0], points).amin(1).max() < 0.05

    (old, new), start = noise.STEP, noise.signal_of(noise.STEP[0]) * noise.GUESS + noise.STEP[0] * noise.NOISE
    before, after = start - noise.signal_of(old) * noise.GUESS, noise.step_end() - noise.signal_of(new) * noise.GUESS
    torch.testing.assert_close(after, new / old * before)

    ends = {count: noise.generated(torch.Size((150, 2)), count)[0.0] for count in noise.COUNTS}
    torch.testing.assert_close(ends[1], points.mean(0).expand(150, 2))
    off = {count: torch.cdist(end, points).amin(1).mean().item() for count, end in ends.items()}
    assert off[1] > 0.3 and off[2] > 0.25 and off[5] < 0.1 and off[25] < 0.02


def test_the_still_of_the_playground_shows_what_its_caption_says():
    points = noise.cloud()
    off = {stop: torch.cdist(playground.ends(stop), points).amin(1) for stop in playground.STOPS.values()}
    assert off[1.0].max() < 0.1 and off[0.5].max() < 0.1 and off[0.0].median() > 0.2
    inside = playground.ends(0.0).norm(dim=1).mean() < 0.85 * playground.ends(1.0).norm(dim=1).mean()
    assert inside, "guided to the end, they lie inside the bend"


@pytest.mark.parametrize("share", [0.8, 0.4])
def test_the_arrows_of_the_score_are_what_the_caption_says(share):
    places = noise.grid(7).requires_grad_()
    (score,) = torch.autograd.grad(noise.density(places, share).log().sum(), places)
    arrows = noise.signal_of(share) * noise.best_guess(places, share) - places
    torch.testing.assert_close(share**2 * score, arrows, rtol=1e-3, atol=1e-3)


def test_the_figure_of_three_sizes_shows_what_its_caption_says():
    errors = {name: torch.tensor(values) for name, values in encoding.errors().items()}
    assert (errors["once"] < torch.minimum(errors["never"], errors["twice"])).all(), "the right size is best"
    assert (errors["never"] > errors["twice"]).all()
    up_to_half = torch.tensor(encoding.MEASURED) <= 0.5
    assert (errors["never"][up_to_half] > 1).all() and (errors["never"][~up_to_half] < 1).all()
    clean = mgd.decode(encoding.digits()[0].vae, encoding.digits()[1][encoding.PICTURE, None])
    for share in encoding.SHOWN:
        off = [(encoding.noised(name, share) - clean).square().mean() for name in encoding.SIZES]
        assert off == sorted(off), "the larger the latent, the more can be seen"


def test_the_figure_of_the_pipeline_names_the_shapes_that_pass():
    pipe, latents, _ = encoding.digits()
    assert latents.shape[1:] == (pipe.transformer.config.in_channels, *[pipe.transformer.config.sample_size] * 2)
    texts = {text.get_text().split("\n")[-1] for text in encoding.draw_pipeline().axes[0].texts}
    assert {"n × 4 × 8 × 8", "latents / s, n × 4 × 8 × 8", "n × 1 × 32 × 32"} <= texts
    assert mgd.decode(pipe.vae, latents[:2]).shape == (2, 1, 32, 32)


def test_the_figure_of_guidance_shows_what_its_caption_says():
    (to_free, _), (to_mode, off_mode), (to_manifold, off_manifold) = ends_under(above=0.0)
    assert (off_mode > 0.05).all() and (off_manifold < 0.05).all(), "throughout, the mode pull leaves the curve"
    assert (to_mode < to_manifold).all() and (to_manifold < to_free).sum() == 8
    (to_free, _), (to_mode, off_mode), (to_manifold, off_manifold) = ends_under(above=0.5)
    assert (off_mode < 0.05).all() and (off_manifold < 0.05).all(), "stopped at one half, neither does"
    assert to_mode.mean() < to_manifold.mean() < to_free.mean()


def ends_under(above):
    """(distances to the targets, distances to the curve) of each guidance of the figure."""
    curve, goals, paths = guidance.guided_paths(above)
    return [guidance.distances(path[-1], goals, curve) for path in paths.values()]


def test_the_figure_of_a_shift_shows_what_its_caption_says():
    """The step keeps the direction of the noise; its end moves along the shift, by less."""
    old, new = ((1 - share**2) ** 0.5 for share in guidance.SHARES)
    moved = guidance.GUESS + guidance.STRENGTH * (guidance.TARGET - guidance.GUESS)
    for guess in (guidance.GUESS, moved):
        before, after = guidance.SAMPLE - old * guess, guidance.step(guess) - new * guess
        torch.testing.assert_close(after, guidance.SHARES[1] / guidance.SHARES[0] * before)
    shift, end = moved - guidance.GUESS, guidance.step(moved) - guidance.step(guidance.GUESS)
    assert torch.cosine_similarity(shift, end, dim=0) > 0.9999 and 0 < end.norm() < shift.norm()


def test_the_figure_of_the_rules_shows_what_its_caption_says():
    mode, soft, manifold = (guidance.shift(softness) for softness in (0.0, 0.5, 1.0))
    here, target = guidance.place_and_target()
    torch.testing.assert_close(here + mode, target)
    torch.testing.assert_close(soft, (mode + manifold) / 2)
    around = horseshoe(240, noise=0.0, seed=3)
    along = (around[115] - around[105]) / (around[115] - around[105]).norm()
    assert torch.cosine_similarity(manifold, along, dim=0).abs() > 0.99


@pytest.mark.slow
def test_the_figure_of_stops_shows_what_its_caption_says(tmp_path, monkeypatch):
    (off_free, to_free), ends = found = guidance.stopped()
    monkeypatch.setattr(guidance, "stopped", lambda: found)  # seconds: it is drawn from the same runs
    draw("stops", tmp_path)
    for strength in guidance.STRENGTHS:
        for stop in guidance.FINE:
            (off_mode, to_mode), (off_manifold, to_manifold) = (
                ends[name, strength][stop] for name in ("mode", "manifold")
            )
            assert to_mode < to_manifold < to_free
            assert off_mode > 5 * off_manifold if stop < 0.1 else max(off_mode, off_manifold) < 1.3 * off_free


def test_the_figure_of_guidance_has_one_look_for_each_guidance_and_none_for_targets():
    looks = guidance.LOOKS.values()
    assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 3
    assert STAR["marker"] not in {look["marker"] for look in looks}


def test_the_figure_of_neighbours_shows_what_its_caption_says():
    """Three point anywhere, sixteen find the direction of the curve, a hundred and ten agree on a wrong one."""

    def off(size):
        _, _, directions = tangent.tangents(size)
        return (directions @ tangent.true_direction()).abs().clamp(max=1).arccos().rad2deg()

    few, enough, many = map(off, tangent.SIZES)
    assert few.median() > 25 and enough.quantile(0.9) < 10 and many.min() > 15
    assert many.max() - many.min() < 2, "they agree with each other"


def test_the_figures_of_targets_show_what_their_captions_say():
    two = mgd.bisect(clustering.sum_or_mean(), n_leaves=2)
    told = {(two.sizes[leaf], round(float(two.inertias[leaf]))) for leaf in two.leaves}
    assert told == {(200, 382), (12, 120)}, "the page asks about these groups"
    for rule, parts in (("inertia", [2, 1]), ("variance", [1, 2])):
        labels = mgd.bisect(clustering.sum_or_mean(), n_leaves=3, split_by=rule).labels
        assert [len(part.unique()) for part in labels.split([200, 12])] == parts
    pair = mgd.bisect(clustering.blobs(), n_leaves=2)
    assert pair.inertias[1:].sum() < 0.5 * pair.inertias[0], "most of the inertia lies between"
    (_, leaves), (tree, levels) = (clustering.chosen(strategy) for strategy in ("leaves", "levels"))
    assert clustering.left_over(leaves) < clustering.left_over(levels)
    assert sum(bool(tree.children[node]) for node in levels.nodes) == 2
    assert len(torch.cat(leaves.members).unique()) == len(tree.latents) > len(torch.cat(levels.members).unique())


def test_the_figure_of_pairs_shows_what_its_caption_says():
    paired, unpaired = zip(*(luck.intervals(a, b) for a, b in luck.studies(21)[1:]), strict=True)
    assert sum(low > 0 for low, _ in paired) > 15
    assert all(low < 0 < high for low, high in unpaired)


def test_the_figures_of_luck_and_measures_show_what_their_captions_say():
    spreads = [values.std() for values in luck.kinds().values()]
    assert spreads == sorted(spreads), "each kind of luck adds to those before"
    crowded, beside, outlier = (
        precision_recall(generated=generated, real=real, n_neighbors=measures.K)
        for generated, real in measures.scenes().values()
    )
    assert crowded["precision"] == 1 and crowded["coverage"] < 0.8
    assert beside["precision"] == 0 and outlier["precision"] == 1 and outlier["density"] < 0.4
    held_out, generated = measures.distances()
    assert (generated < held_out.quantile(measures.THRESHOLD))[:5].all()
    assert generated[:5].max() < 0.6 * held_out.quantile(measures.THRESHOLD)


def test_the_figure_of_transport_shows_what_its_caption_says():
    (_, pull, soft), (_, _, sharp) = sets.planned(0.5), sets.planned(0.05)
    masses = pull.masses / pull.masses.sum()
    for plan in (soft, sharp):
        assert torch.allclose(plan.sum(1), torch.tensor(0.2)) and torch.allclose(plan.sum(0), masses, atol=1e-4)
    assert ((sharp > 1e-3).sum(1) == torch.tensor([1, 2, 1, 1, 1])).all(), "one image shares two centers"
    assert ((soft > 1e-3).sum(1) > 1).all()


@pytest.mark.slow
def test_the_figure_of_sets_shows_what_its_caption_says():
    assert [sets.misplaced(ends) for ends in sets.guided_sets(seed=sets.SEED).values()] == [2, 3, 1, 1]
    runs = [[sets.misplaced(ends) for ends in sets.guided_sets(seed=seed).values()] for seed in range(20)]
    means = torch.tensor(runs).mean(0).tolist()
    assert means == pytest.approx([2.6, 2.4, 1.2, 1.5], abs=0.1)


def test_the_command_line_lists_its_commands(capsys):
    assert main([]) == 0
    assert re.findall(r"^    ([\w-]+)(?:  |\n)", capsys.readouterr().out, re.MULTILINE) == [
        "build",
        "figures",
        "animations",
        "student",
        "slides",
        "pdf",
        "artifacts",
        "links",
        "clocks",
        "train",
        "release",
        "stamp",
        "wheel-address",
        "address",
        "constraints",
        "colab",
        "reference",
    ]


def test_the_figures_of_the_refreshers_show_what_their_captions_say():
    points, angles = refreshers.tilted_cloud(), torch.linspace(0, math.pi, 1801)
    along = refreshers.variance_along(points, angles)
    low, high = torch.linalg.eigvalsh(points.T.cov())
    assert along.max() == pytest.approx(high.item(), rel=1e-4) and along.min() == pytest.approx(low.item(), rel=1e-3)
    assert abs(angles[along.argmax()] - angles[along.argmin()]) == pytest.approx(math.pi / 2, abs=0.01)

    grid = torch.linspace(-8, 8, 4001)
    for share in refreshers.SHARES:
        density = refreshers.mixture_density(grid, share)
        assert torch.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)
        assert torch.trapezoid(density * grid**2, grid) == pytest.approx(1, abs=1e-3)
        bumps = ((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])).sum()
        assert bumps == (1 if share == 0.9 else 2)

    seen = torch.tensor([-3.0, 0.1, 4.0])
    assert refreshers.best_guess(seen, 0.2).tolist() == pytest.approx([-1, 0, 2], abs=0.01)
    assert (refreshers.best_guess(seen, 3.0) - refreshers.VALUES.mean()).abs().max() < 0.7

    def missed(count):
        means, errors = refreshers.studies(count)
        multiples = refreshers.MULTIPLES.values()
        return [((means - refreshers.TRUTH).abs() > multiple * errors).float().mean().item() for multiple in multiples]

    assert missed(refreshers.N_STUDIES) == pytest.approx([5 / 40, 2 / 40])
    assert missed(100_000) == pytest.approx([0.12, 0.05], abs=0.005)


def test_the_figure_of_energies_shows_what_its_caption_says():
    (by_mean, by_features), *others = [sets.energies(samples) for samples in sets.three_sets().values()]
    assert by_mean < 1e-9 < min(mean for mean, _ in others)
    assert by_features > 2 * others[0][1] > 20 * others[1][1]
    assert sets.counts(sets.three_sets()["After matching"]) == [4, 3, 1, 1, 1]


def test_the_figures_of_the_question_show_what_the_page_says():
    counts = [question.by_count()[count] for count in question.COUNTS]
    means = [sum(scores) / len(scores) for scores in counts]
    widths = [max(scores) - min(scores) for scores in counts]
    assert means == sorted(means) and widths[0] > 0.15 > 3 * widths[-1], "more is better; the band is widest at one"
    test = question.digits().test
    one_mean = nearest_neighbor_accuracy(question.mean_images(), test)
    assert abs(one_mean - means[question.COUNTS.index(10)]) < 0.01 and one_mean < means[question.COUNTS.index(50)]
    far = nearest_neighbor_accuracy(question.far_apart(), test)
    beaten = sum(score < far for score in question.by_draw())
    assert 100 < beaten < 200 and max(question.by_draw()) > far
