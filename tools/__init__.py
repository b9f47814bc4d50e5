"""What makes the parts of the book that are made rarely or last: figures, pipelines, pages, the labs for students.

`python -m tools` lists the commands.
"""
