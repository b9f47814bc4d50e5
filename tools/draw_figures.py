"""Draw the theory figures of the book: `python tools/draw_figures.py [--png FOLDER]`.

Trees come from 2-means, tangents from local PCA, trajectories from DDIM with the exact denoiser of a point cloud; only
"encoding" is a diagram. Seeds are fixed and dates left out, so a second run writes the same bytes.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Ellipse, Polygon, Rectangle

FIGURES = Path(__file__).resolve().parents[1] / "book" / "figures"
BLUE, ORANGE, GREEN, PINK = "#0173B2", "#DE8F05", "#029E73", "#CC78BC"  # from seaborn's "colorblind" palette
SKY, RED, BROWN, GREY = "#56B4E9", "#D55E00", "#CA9161", "#949494"
INK, AMBER = "#222222", "#9a6300"  # amber: orange, dark enough for text
COLORS = (BLUE, ORANGE, GREEN, PINK, SKY, RED, BROWN, GREY)
LOOKS = [{"color": color, "marker": marker} for color, marker in zip(COLORS, "os^DvPX*", strict=True)]
STAR = {"marker": "*", "edgecolor": INK, "zorder": 7}
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "mathtext.fontset": "cm",
    "savefig.facecolor": "white",
    "svg.hashsalt": "manifoldgd",
}


# --- a toy world: a horseshoe of latents, its exact denoiser, tangents, trees, and a family of images -----------------


def horseshoe(n, spread, seed):
    """`n` points evenly along an arc of radius one, with normal jitter `spread` across it."""
    angle = torch.linspace(-0.2, 1.2, n) * torch.pi
    radius = 1 + spread * torch.randn(n, generator=torch.Generator().manual_seed(seed))
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def denoise(sample, signal, noise, cloud):
    """The posterior mean of the clean point: the cloud's average, weighted by a softmax of squared distances."""
    return (-torch.cdist(sample, signal * cloud).square() / (2 * noise**2)).softmax(dim=1) @ cloud


def tangent_part(vectors, points, cloud, n_neighbors=12):
    """Each vector's projection onto the first principal direction of the cloud around its point."""
    near = cloud[torch.cdist(points, cloud).topk(n_neighbors, largest=False).indices]
    basis = torch.linalg.svd(near - near.mean(dim=1, keepdim=True), full_matrices=False).Vh[:, 0]
    return (vectors * basis).sum(dim=1, keepdim=True) * basis


def ddim(sample, cloud, pull, n_steps=50):
    """The path [n_steps + 1, B, 2] of DDIM under a cosine schedule; `pull(denoised)` is added to the denoised point."""
    angle = torch.linspace(0.49 * torch.pi, 0.01, n_steps + 1)
    path = [sample]
    for now, then in pairwise(angle):
        denoised = denoise(sample, now.cos(), now.sin(), cloud)
        denoised = denoised + pull(denoised)
        sample = then.cos() * denoised + then.sin() * (sample - now.cos() * denoised) / now.sin()
        path.append(sample)
    return torch.stack(path)


def two_means(points, rng):
    """Labels of the best of eight 2-means runs, each seeded by k-means++."""
    runs = []
    for _ in range(8):
        first = points[rng.integers(len(points))]
        weight = ((points - first) ** 2).sum(1)
        centres = np.stack([first, points[rng.choice(len(points), p=weight / weight.sum())]])
        for _ in range(30):
            distance = ((points[:, None] - centres) ** 2).sum(2)
            labels = distance.argmin(1)
            centres = np.stack([points[labels == side].mean(0) for side in (0, 1)])
        runs.append((distance.min(1).sum(), labels if centres[0, 0] < centres[1, 0] else 1 - labels))
    return min(runs, key=lambda run: run[0])[1]


def bisect(points, n_leaves):
    """Split the leaf of largest inertia until there are `n_leaves`. Returns all nodes, in the order they arose."""
    rng, nodes = np.random.default_rng(0), []

    def grow(members, depth, parent):
        centroid = points[members].mean(0)
        inertia = ((points[members] - centroid) ** 2).sum()
        nodes.append({"members": members, "depth": depth, "parent": parent, "centroid": centroid, "inertia": inertia})

    grow(np.arange(len(points)), 0, None)
    while len(leaves_of(nodes)) < n_leaves:
        chosen = max(leaves_of(nodes), key=lambda leaf: nodes[leaf]["inertia"])
        members = nodes[chosen]["members"]
        labels = two_means(points[members], rng)
        for side in (0, 1):
            grow(members[labels == side], nodes[chosen]["depth"] + 1, chosen)
    return nodes


def leaves_of(nodes):
    return sorted(set(range(len(nodes))) - {node["parent"] for node in nodes})


def glyph(u, softness):
    """A 20 x 20 image of a handwritten 3, slanted and opened by `u` in [-1, 1]: a family with one degree of freedom."""
    turn = np.linspace(-0.5, 0.8, 40) * np.pi
    x = np.concatenate([0.32 * np.cos(turn), (0.44 + 0.12 * u) * np.cos(turn)])
    y = np.concatenate([0.42 + 0.36 * np.sin(turn), -0.4 - 0.46 * np.sin(turn)])
    grid = np.linspace(-1, 1, 20)
    distance = (grid[None, :, None] - x - 0.45 * u * y + 0.08) ** 2 + (grid[:, None, None] + y) ** 2
    return np.exp(-distance.min(2) / (2 * softness**2))


# --- drawing ----------------------------------------------------------------------------------------------------------


def bare(ax, title, x=None, y=None):
    ax.set(xticks=[], yticks=[], aspect="equal", title=title)
    if x and y:
        ax.set(xlim=x, ylim=y)
    ax.spines[:].set_visible(False)
    return ax


def dots(ax, points, **options):
    ax.scatter(*np.asarray(points).T, **{"s": 14, "color": GREY, "alpha": 0.6, "edgecolor": "none"} | options)


def arrow(ax, start, end, color=INK, width=2.0):
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "lw": width, "color": color, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tuple(end), tuple(start), arrowprops=look, zorder=6)


def line(ax, start, end, **options):
    ax.plot([start[0], end[0]], [start[1], end[1]], **options)


def stamp(ax, u, x, y, size, softness=0.11):
    """Put the framed image of a glyph on the axes."""
    extent = (x - size / 2, x + size / 2, y - size / 2, y + size / 2)
    ax.imshow(glyph(u, softness), cmap="gray_r", extent=extent, vmin=0, vmax=1, zorder=5, interpolation="nearest")
    ax.add_patch(Rectangle(extent[::2], size, size, fill=False, ec=INK, lw=0.9, zorder=6))


def split_pull(ax, point, target, cloud, reach):
    """Draw a pull and its tangent part; returns the tangent part's end."""
    along = tangent_part(target - point, point, cloud)
    unit = along[0] / along.norm()
    line(ax, point[0] - reach * unit, point[0] + 1.25 * along[0], color=BLUE, lw=1, ls=(0, (4, 3)))
    arrow(ax, point[0], target[0], ORANGE, 2.2)
    arrow(ax, point[0], (point + along)[0], BLUE, 2.8)
    dots(ax, point, s=55, color=INK, alpha=1, zorder=8, label="denoised")
    ax.scatter(*target[0], s=180, color=ORANGE, **STAR, label="target")
    return (point + along)[0]


def draw_method_at_a_glance():
    """Six panels: real images, latents, tree, tangent, guided denoising, distilled images."""
    cloud = horseshoe(90, 0.04, seed=3)
    nodes = bisect(cloud.numpy(), 4)
    leaves = sorted((nodes[leaf] for leaf in leaves_of(nodes)), key=lambda leaf: leaf["centroid"][0])
    targets = torch.tensor(np.stack([leaf["centroid"] for leaf in leaves]))
    figure, axes = plt.subplots(2, 3, figsize=(6.6, 4.5), layout="constrained")
    titles = "Real images", "1  Encode", "2  Cluster", "3  Tangent", "4  Guide", "5  Evaluate"
    real, encode, cluster, tangent, guide, evaluate = (
        bare(ax, title, (-1.5, 1.5), (-1.05, 1.45)) for ax, title in zip(axes.ravel(), titles, strict=True)
    )
    for index, u in enumerate(np.random.default_rng(1).uniform(-1, 1, 20)):
        stamp(real, u, -1.12 + 0.56 * (index % 5), 1.08 - 0.56 * (index // 5), 0.48)
    for ax in (encode, tangent, guide):
        dots(ax, cloud)
    for u, x, y, end in ((-1, -0.35, -0.3, (-0.85, -0.48)), (0, 0, 0.5, (0, 0.98)), (1, 0.35, -0.3, (0.85, -0.48))):
        stamp(encode, u, x, y, 0.44)
        arrow(encode, (x + 0.22 * np.sign(u), y + (0.22 if u == 0 else -0.08)), end, width=1.2)
    for look, leaf in zip(LOOKS, leaves, strict=False):
        dots(cluster, cloud[leaf["members"]], **look)
        cluster.scatter(*leaf["centroid"], s=150, color=look["color"], **STAR)
    for node in nodes[1:]:
        line(cluster, nodes[node["parent"]]["centroid"], node["centroid"], color=INK, lw=1.2, zorder=4)
    dots(cluster, [node["centroid"] for node in nodes[:3]], s=26, color="white", edgecolor=INK, alpha=1, zorder=5)
    end = split_pull(tangent, torch.tensor([[-0.97, -0.22]]), targets[1:2], cloud, 0.5)
    line(tangent, end, targets[1], color=INK, lw=1.2, ls=":")
    tangent.text(-0.42, 0.2, "pull", color=AMBER)
    tangent.text(-1.45, 1.12, "tangent part", color=BLUE)
    starts = torch.tensor([[-0.6, 0.35], [-1.3, 1.25], [1.25, 0.9], [0.05, -0.75]])
    path = ddim(starts, cloud, lambda denoised: tangent_part(targets - denoised, denoised, cloud))
    for index, look in enumerate(LOOKS[:4]):
        guide.plot(*path[:, index].T, color=look["color"], lw=1.8)
        guide.scatter(*path[0, index], s=34, edgecolor=look["color"], zorder=6, **look | {"color": "white"})
        guide.scatter(*path[-1, index], s=60, edgecolor=INK, zorder=7, **look)
        stamp(evaluate, (-0.8, -0.3, 0.3, 0.8)[index], -0.96 + 0.64 * index, 0.95, 0.54)
    for y, text in ((0.06, "train a student"), (-0.72, "test it on\nreal images")):
        arrow(evaluate, (0, y + 0.57), (0, y + 0.27))
        evaluate.text(0, y, text, ha="center", va="center")
    return figure


def draw_encoding():
    """A diagram: one image, its posterior in the latent plane, and the softer image that comes back."""
    figure, ax = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
    bare(ax, "", (-4.7, 4.7), (-2.2, 2.45))
    for side, name, color in ((-1, "encoder", SKY), (1, "decoder", GREEN)):
        corners = [(side * 2.9, -1.1), (side * 1.85, -0.5), (side * 1.85, 0.5), (side * 2.9, 1.1)]
        ax.add_patch(Polygon(corners, fc=color, ec=INK, alpha=0.5))
        ax.text(side * 2.37, -1.32, name, ha="center", va="center")
    for width in (1, 2):
        ax.add_patch(Ellipse((0, 0), 1.05 * width, 0.65 * width, angle=25, fc=ORANGE, ec=ORANGE, alpha=0.2, lw=1.4))
    turn = np.deg2rad(25)
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    samples = np.random.default_rng(4).normal(size=(16, 2)) * [0.5, 0.3] @ frame
    ax.scatter(*samples.T, marker="x", color=INK, s=26, lw=1.3, label="samples: differ at every draw")
    ax.scatter(0, 0, s=90, color=BLUE, edgecolor=INK, zorder=6, label="posterior mean: what we keep")
    for x, name, softness in ((-3.85, "image", 0.11), (3.85, "reconstruction", 0.15)):
        stamp(ax, 0.2, x, 0, 1.3, softness)
        ax.text(x, -0.92, name, ha="center", va="center")
    for x in (-1.75, 1.12):
        arrow(ax, (x, 0), (x + 0.63, 0))
    ax.text(0, -1.32, "latent space", ha="center", va="center")
    ax.text(0, -1.98, "softer than the image: the round trip loses detail", ha="center", style="italic")
    ax.legend(loc="upper center", frameon=False, handletextpad=0.2)
    return figure


def draw_tree():
    """Bisecting 2-means on a point cloud: two, four and eight leaves, and the tree they form."""
    middles, counts = [(-2, 0.8), (-1.1, -0.9), (1.2, 1.1), (1.5, -0.6), (2.6, 0.3)], (60, 40, 55, 35, 25)
    points = np.repeat(middles, counts, axis=0) + 0.42 * np.random.default_rng(5).normal(size=(sum(counts), 2))
    nodes = bisect(points, 8)
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 5.2), layout="constrained")
    for ax, n_leaves in zip(axes.ravel(), (2, 4, 8), strict=False):
        bare(ax, f"{n_leaves} leaves")
        for look, leaf in zip(LOOKS, leaves_of(nodes[: 2 * n_leaves - 1]), strict=False):
            dots(ax, points[nodes[leaf]["members"]], s=18, **look)
            ax.scatter(*nodes[leaf]["centroid"], s=150, color=look["color"], **STAR)
    tree, place, width = axes[1, 1], {}, iter(range(8))

    def walk(index):  # leaves take the next free place, parents the middle of their children
        children = [child for child, node in enumerate(nodes) if node["parent"] == index]
        place[index] = np.mean([walk(child) for child in children]) if children else next(width)
        for child in children:
            ends = (place[index], -nodes[index]["depth"]), (place[child], -nodes[child]["depth"])
            line(tree, *ends, color=INK, lw=1.2, zorder=1)
        return place[index]

    walk(0)
    looks = dict(zip(leaves_of(nodes), LOOKS, strict=True))
    for index, node in enumerate(nodes):
        size = 14 + 420 * node["inertia"] / nodes[0]["inertia"]
        look = looks.get(index, {"color": "white"}) | {"s": 55 if index in looks else size}
        tree.scatter(place[index], -node["depth"], edgecolor=INK, zorder=3, **look)
    depth = max(node["depth"] for node in nodes)
    tree.set(xticks=[], yticks=-np.arange(depth + 1), xlim=(-0.7, 7.7), ylim=(-depth - 0.5, 0.7), ylabel="depth")
    tree.set(title="The tree (area: inertia)", yticklabels=range(depth + 1))
    tree.spines[:].set_visible(False)
    tree.tick_params(length=0)
    return figure


def draw_tangent():
    """Above: a pull and its two parts. Below: tangents from clean and from noisy neighbours, forty draws each."""
    figure, axes = plt.subplot_mosaic("AA;BC", figsize=(6.4, 5.6), layout="constrained", height_ratios=[1.15, 1])
    top = bare(axes["A"], "A pull and its two parts", (-2.55, 1.45), (-0.12, 1.55))
    cloud = horseshoe(120, 0.03, seed=3)
    point, target = torch.tensor([[-0.42, 0.91]]), torch.tensor([[0.62, 0.45]])
    dots(top, cloud, s=20, label="reference points")
    nearest = torch.cdist(point, cloud).topk(12, largest=False).indices[0]
    dots(top, cloud[nearest], s=34, color=GREEN, marker="s", alpha=1, label="nearest neighbours")
    end = split_pull(top, point, target, cloud, 0.75)
    arrow(top, end, target[0], RED, 2.4)
    top.text(-0.1, 0.56, "pull $g$", color=AMBER, fontsize=13)
    top.text(-0.3, 1.2, "$P_T\\,g$", color=BLUE, fontsize=13)
    top.text(0.62, 0.95, "$P_N\\,g$", color=RED, fontsize=13)
    top.legend(loc="center left", bbox_to_anchor=(-0.01, 0.42), frameon=False, handletextpad=0.2)
    for name, noise, title in (("B", 0.0, "Clean neighbours"), ("C", 0.6, "Noisy neighbours")):
        ax = bare(axes[name], title, (-1.5, 1.5), (-0.1, 1.95))
        signal = (1 - noise**2) ** 0.5
        generator = torch.Generator().manual_seed(0)
        base = torch.tensor([[0.0, signal]])
        for draw in range(40):
            seen = signal * horseshoe(200, 0.03, seed=draw) + noise * torch.randn(200, 2, generator=generator)
            if draw == 0:
                dots(ax, seen, s=10)
            step = tangent_part(torch.tensor([[1.0, 0.0]]), base, seen)[0]
            step = 0.72 * step / step.norm()
            line(ax, base[0] - step, base[0] + step, color=BLUE, lw=0.9, alpha=0.5)
        dots(ax, base, s=60, color=INK, alpha=1, zorder=8)
    return figure


def draw_guidance():
    """DDIM with the exact denoiser of a horseshoe: unguided, mode pull, manifold pull, and where their samples end."""
    cloud = horseshoe(240, 0.015, seed=3)
    targets = torch.tensor([[-0.72, 0.12], [0.0, 0.8], [0.72, 0.12]])  # inside the bend, as means are
    goals, starts = targets.repeat(3, 1), torch.randn(9, 2, generator=torch.Generator().manual_seed(8))
    pulls = {
        "Unguided": torch.zeros_like,
        "Mode pull": lambda denoised: 0.3 * (goals - denoised),
        "Manifold pull": lambda denoised: 0.3 * tangent_part(goals - denoised, denoised, cloud),
    }
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 6.0), layout="constrained")
    ends = axes[1, 1]
    for ax, (title, pull), look in zip(axes.ravel(), pulls.items(), LOOKS, strict=False):
        path = ddim(starts, cloud, pull)
        dots(bare(ax, title, (-1.85, 1.9), (-1.5, 1.75)), cloud[::2], s=10, alpha=0.5)
        for index, goal in enumerate(goals):
            color = LOOKS[index % 3]["color"]
            ax.plot(*path[:, index].T, color=color, lw=1.3)
            ax.scatter(*path[0, index], s=16, facecolor="white", edgecolor=color, zorder=4)
            ax.scatter(*path[-1, index], s=34, edgecolor=INK, lw=0.8, zorder=8, **LOOKS[index % 3])
            ax.scatter(*goal, s=170, color=color, **STAR)
        to_target, to_curve = (path[-1] - goals).norm(dim=1), torch.cdist(path[-1], cloud).amin(dim=1)
        ends.scatter(to_target, to_curve, s=46, edgecolor=INK, lw=0.7, label=title, **look)
    ends.set(title="Where the nine samples end", xlabel="distance to their target", ylabel="distance to the curve")
    ends.legend(frameon=False, handletextpad=0.1)
    return figure


def draw_paired():
    """A simulation, not a measurement: ten pairs seen as pairs and as two groups, and twenty repetitions of that."""
    rng, gain, n_pairs = np.random.default_rng(2), 1.0, 10

    def study():  # luck shared by a pair has a deviation of 2 points, private luck one of 0.6
        luck = rng.normal(70, 2.0, n_pairs)
        return luck + rng.normal(0, 0.6, n_pairs), luck + gain + rng.normal(0, 0.6, n_pairs)

    figure, (above, below) = plt.subplots(2, 1, figsize=(6.0, 6.4), layout="constrained", height_ratios=[1, 1.5])
    first, second = study()
    above.plot([first, second], [[0] * n_pairs, [1] * n_pairs], color=GREY, lw=1.2)
    above.scatter(first, [0] * n_pairs, s=48, edgecolor=INK, zorder=3, **LOOKS[1])
    above.scatter(second, [1] * n_pairs, s=48, edgecolor=INK, zorder=3, **LOOKS[0])
    above.set(yticks=[0, 1], yticklabels=["method A", "method B"], ylim=(-0.4, 1.4))
    above.set(xlabel="accuracy of the student (simulated, %)", title="One simulated study: lines join shared seeds")
    for row in range(20):
        a, b = study()
        paired = 2.262 * (b - a).std(ddof=1) / n_pairs**0.5  # Student's t: 2.262 with 9 degrees of freedom,
        unpaired = 2.101 * ((a.var(ddof=1) + b.var(ddof=1)) / n_pairs) ** 0.5  # 2.101 with 18
        name = ("", "") if row else ("paired", "unpaired")
        look = {"lw": 1.6, "ms": 4}
        below.errorbar((b - a).mean(), row + 0.18, xerr=paired, color=BLUE, fmt="o", label=name[0], **look)
        below.errorbar((b - a).mean(), row - 0.18, xerr=unpaired, color=GREY, fmt="s", label=name[1], **look)
    below.axvline(0, color=INK, lw=1)
    below.axvline(gain, color=GREEN, lw=1.6, ls="--", label="true difference")
    below.set(yticks=[], xlabel="B minus A, with its 95 % interval (points)")
    below.set_title("Twenty simulated studies: the same data, two analyses")
    below.spines["left"].set_visible(False)
    below.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--png", type=Path, help="also write PNG copies at 100 dpi into this folder, to look at")
    png = parser.parse_args().png
    torch.set_num_threads(1)
    for folder in filter(None, (FIGURES, png)):
        folder.mkdir(parents=True, exist_ok=True)
    for draw in (draw_method_at_a_glance, draw_encoding, draw_tree, draw_tangent, draw_guidance, draw_paired):
        name = draw.__name__.removeprefix("draw_")
        with plt.rc_context(STYLE):
            figure = draw()
            figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
            if png:
                figure.savefig(png / f"{name}.png", dpi=100)
            plt.close(figure)
