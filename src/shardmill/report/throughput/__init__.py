"""What the rows of speed tests say: plots, tables, models and findings, for the sections that show them."""
