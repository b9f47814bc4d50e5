import IPython.display
import pytest
from matplotlib.figure import Figure

from mgd_helpers.lab.plots.slider import slider


def draw(axis, *, k, place):
    axis.plot([0, k], [0, place], label=f"{k} {place}")


@pytest.fixture
def shown(monkeypatch):
    """What a front end would be given to display, where somebody sits before it."""
    for name in ("CI", "MGD_QUIET"):
        monkeypatch.delenv(name, raising=False)
    given = []
    monkeypatch.setattr(IPython.display, "display", given.append)
    return given


def test_unattended_each_choice_has_a_row_and_the_others_stay_at_their_middle(monkeypatch):
    monkeypatch.setenv("MGD_QUIET", "1")
    figure = slider(draw, k=[4, 12, 40], place=[1, 2])
    assert isinstance(figure, Figure)
    rows = [[line.get_label() for axis in figure.axes[row : row + 3] for line in axis.lines] for row in (0, 3)]
    assert rows == [["4 2", "12 2", "40 2"], ["12 1", "12 2"]]
    assert [axis.get_title() for axis in figure.axes] == ["k = 4", "k = 12", "k = 40", "place = 1", "place = 2", ""]
    assert [axis.axison for axis in figure.axes] == [True] * 5 + [False]


def test_with_somebody_at_the_kernel_there_is_a_slider_for_each_choice(shown):
    assert slider(draw, k=[4, 12, 40], place=[1, 2]) is None
    (box,) = shown
    *knobs, _ = box.children
    assert [(knob.description, knob.value, list(knob.options)) for knob in knobs] == [
        ("k", 12, [4, 12, 40]),
        ("place", 2, [1, 2]),
    ]
    assert not any(knob.continuous_update for knob in knobs)


def test_a_slider_draws_anew_with_its_value(shown):
    asked = []
    slider(lambda axis, **values: asked.append(values), k=[4, 12, 40], place=[1, 2])
    shown[0].children[0].value = 40
    assert asked == [{"k": 12, "place": 2}, {"k": 40, "place": 2}]


@pytest.mark.parametrize(("choices", "named"), [({}, "no choice"), ({"k": [1], "d": []}, "d")])
def test_a_choice_without_values_is_refused(choices, named):
    with pytest.raises(ValueError, match=f"choices must have a list of values each; got {named}\\."):
        slider(draw, **choices)
