"""The studies behind the page "What the numbers say": `python -m studies` lists them, `results/` is what they found."""
