"""How a shipped pipeline is trained: profiles, networks, the two stages, what is measured of them, the model card."""
