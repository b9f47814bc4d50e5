import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb

from mgd_helpers.lab.plots import charts, style


def test_figures_stand_on_white():
    with plt.rc_context():
        style.use_style()
        assert to_rgb(charts.draw_scores({"a": [1.0]}, xlabel="").get_facecolor()[:3]) == (1, 1, 1)
        assert plt.rcParams["savefig.facecolor"] == "white"
