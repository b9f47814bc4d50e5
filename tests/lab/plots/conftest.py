import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def drawn():
    """Every figure of a test can be drawn, and is closed afterwards."""
    yield
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()
    plt.close("all")
