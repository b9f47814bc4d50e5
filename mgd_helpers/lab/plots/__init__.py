"""Every figure of the labs: images side by side, and charts. Each function returns a matplotlib figure.

Figures stand on white, so that they read the same in the dark theme. Markers as well as colors tell series apart.
"""

from mgd_helpers.lab.plots.charts import (
    draw_arrows,
    draw_intervals,
    draw_lines,
    draw_map,
    draw_scores,
    draw_spectrum,
)
from mgd_helpers.lab.plots.gallery import Gallery, show_gallery
from mgd_helpers.lab.plots.panels import draw_dials, draw_seeds
from mgd_helpers.lab.plots.parts import draw_parts
from mgd_helpers.lab.plots.pictures import draw_tree, put_images, show_images, show_rows
from mgd_helpers.lab.plots.poster import draw_poster, put_grid
from mgd_helpers.lab.plots.sliders import show_slider
from mgd_helpers.lab.plots.style import INK, MARKERS, use_style

__all__ = [
    "INK",
    "MARKERS",
    "Gallery",
    "draw_arrows",
    "draw_dials",
    "draw_intervals",
    "draw_lines",
    "draw_map",
    "draw_parts",
    "draw_poster",
    "draw_scores",
    "draw_seeds",
    "draw_spectrum",
    "draw_tree",
    "put_grid",
    "put_images",
    "show_gallery",
    "show_images",
    "show_rows",
    "show_slider",
    "use_style",
]
