"""What makes the parts of the book that are made rarely or last: its figures, its pipelines, its pages.

`python -m tools` lists the commands.
"""
