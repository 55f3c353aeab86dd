"""What the page tells of each kind of run: one module a kind, with one function `section(run)`."""
