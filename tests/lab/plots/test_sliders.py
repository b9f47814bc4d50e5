import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from mgd_helpers.lab.plots import sliders


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in sliders.FRONT_ENDS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def drawn():
    """A drawing function that keeps what it was asked for, as `.asked`."""

    def draw(axis, **values):
        draw.asked.append(values)
        axis.plot([0, 1])

    draw.asked = []
    return draw


def test_where_nobody_sits_every_choice_has_a_panel(drawn):
    figure = sliders.show_slider(drawn, columns=2, k=(1, 2, 3))
    assert isinstance(figure, Figure) and drawn.asked == [{"k": 1}, {"k": 2}, {"k": 3}]
    assert [axis.get_title() for axis in figure.axes] == ["k = 1", "k = 2", "k = 3", ""]
    assert not figure.axes[3].axison


def test_two_names_make_a_grid_and_further_ones_keep_their_first_value(drawn):
    figure = sliders.show_slider(drawn, k=(1, 2), d=(3, 4, 5), seed=(7, 8))
    assert drawn.asked == [{"seed": 7, "k": k, "d": d} for k in (1, 2) for d in (3, 4, 5)]
    assert len({axis.get_subplotspec().colspan.start for axis in figure.axes}) == 3
    assert figure.axes[-1].get_title() == "k = 2\nd = 5"


def test_the_twin_may_show_fewer_values(drawn):
    sliders.show_slider(drawn, static={"k": (1, 9)}, k=range(1, 10))
    assert drawn.asked == [{"k": 1}, {"k": 9}]


def test_a_single_value_is_no_panel_of_its_own(drawn):
    figure = sliders.show_slider(drawn, k=(5,), d=(1, 2))
    assert [axis.get_title() for axis in figure.axes] == ["d = 1", "d = 2"]
    assert drawn.asked == [{"k": 5, "d": 1}, {"k": 5, "d": 2}]


@pytest.mark.parametrize("front_end", sliders.FRONT_ENDS)
def test_before_a_front_end_a_slider_draws_anew(monkeypatch, drawn, front_end):
    monkeypatch.setenv(front_end, "there")
    before = plt.get_fignums()
    box = sliders.show_slider(drawn, k=(1, 2, 3), d=("a", "b"))
    assert drawn.asked == [{"k": 1, "d": "a"}]
    first, second, shown = box.children
    assert shown.children[0].value == '<p role="alert">k = 1, d = a</p>'
    assert (first.description, second.description, first.options) == ("k", "d", (1, 2, 3))
    first.value = 3
    second.value = "b"
    assert drawn.asked[1:] == [{"k": 3, "d": "a"}, {"k": 3, "d": "b"}]
    assert shown.children[0].value == '<p role="alert">k = 3, d = b</p>'
    assert plt.get_fignums() == before


@pytest.mark.parametrize("choices", [{}, {"k": ()}])
def test_without_choices_there_is_nothing_to_show(drawn, choices):
    with pytest.raises(ValueError, match="choices must name values"):
        sliders.show_slider(drawn, **choices)


@pytest.mark.parametrize(("columns", "width"), [(2, 5.2), (4, sliders.WIDTH)])
def test_the_twin_is_no_wider_than_a_page(drawn, columns, width):
    figure = sliders.show_slider(drawn, columns=columns, panel=(2.6, 2.6), k=(1, 2, 3, 4))
    assert figure.get_size_inches()[0] == pytest.approx(width)
