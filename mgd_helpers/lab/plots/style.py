"""The look of all figures, and what tells series apart besides their color."""

import seaborn as sns

INK = "0.25"  # of text and lines that carry no series
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use_style() -> None:
    """Set the look of all figures: a color-blind palette, a white ground, no needless frame."""
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "font.size": 10,
            "image.cmap": "gray_r",
            "legend.frameon": False,
            "savefig.facecolor": "white",
        },
    )
