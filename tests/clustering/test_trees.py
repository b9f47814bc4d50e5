import pytest
import torch

from mgd_helpers.clustering.bisecting import bisect
from mgd_helpers.clustering.trees import ClusterTree


@pytest.fixture
def mixture(randn):
    """60 points around four centers in ten dimensions, in float64."""
    centers = 12 * randn(4, 10, dtype=torch.float64)
    return centers.repeat_interleave(15, 0) + randn(60, 10, dtype=torch.float64)


def inertia(rows):
    return (rows - rows.mean(0)).square().sum()


def test_printing_shows_the_nodes_indented_by_depth():
    text = str(bisect(torch.tensor([[0.0], [0.2], [5.0]]), n_leaves=2))
    assert text.splitlines()[0].startswith("0: 3 latents, inertia 16")
    assert sorted(line.split(":")[0] for line in text.splitlines()[1:]) == ["  1", "  2"]
    assert text.count("leaf") == 2


def test_a_deep_tree_prints():
    """A chain of a thousand splits: deeper than Python recurses."""
    inner = range(0, 2000, 2)
    tree = ClusterTree(
        latents=torch.zeros(1001, 1),
        parents=(-1, *(node for node in inner for _ in range(2))),
        children=tuple((node + 1, node + 2) if node in inner else () for node in range(2001)),
        depths=(0, *(node // 2 + 1 for node in inner for _ in range(2))),
        members=(torch.zeros(1, dtype=torch.long),) * 2001,
        centroids=torch.zeros(2001, 1),
        inertias=torch.zeros(2001),
        nearest=torch.zeros(2001, dtype=torch.long),
    )
    lines = str(tree).splitlines()
    assert len(lines) == 2001
    assert lines[-1].startswith("  " * 1000 + "2000:")
    assert tree.to_linkage()[-1, 3] == 1001


def test_networkx_graph_is_the_tree(mixture):
    import networkx

    tree = bisect(mixture, n_leaves=9)
    graph = tree.to_networkx()
    assert networkx.is_arborescence(graph)
    assert list(graph) == list(range(len(tree)))
    for node, about in graph.nodes(data=True):
        assert tuple(graph.successors(node)) == tree.children[node]
        assert about == {
            "size": tree.sizes[node],
            "inertia": tree.inertias[node].item(),
            "depth": networkx.shortest_path_length(graph, 0, node),
            "leaf": node in tree.leaves,
        }


@pytest.mark.parametrize("split_by", ["inertia", "variance"])
def test_linkage_merges_what_the_tree_split(mixture, split_by):
    from scipy.cluster import hierarchy

    tree = bisect(mixture, n_leaves=9, split_by=split_by)
    linkage = tree.to_linkage()
    assert hierarchy.is_valid_linkage(linkage)
    assert hierarchy.is_monotonic(linkage)
    clusters = [frozenset(tree.members[leaf].tolist()) for leaf in tree.leaves]
    for left, right, height, leaves in linkage:
        together = clusters[int(left)] | clusters[int(right)]
        clusters.append(together)
        torch.testing.assert_close(torch.tensor(height), inertia(mixture[sorted(together)]))
        assert leaves == sum(frozenset(tree.members[leaf].tolist()) <= together for leaf in tree.leaves)
    assert set(clusters) == {frozenset(rows.tolist()) for rows in tree.members}
    drawn = hierarchy.dendrogram(linkage, no_plot=True, labels=tree.leaves)
    assert sorted(drawn["ivl"]) == sorted(tree.leaves)


def test_a_single_leaf_has_no_linkage(mixture):
    with pytest.raises(ValueError, match="tree must have at least two leaves; got one"):
        bisect(mixture, n_leaves=1).to_linkage()
