"""One self-contained page from all results: sections, findings, plots, and the page around them."""
