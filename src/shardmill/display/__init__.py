"""What notebooks show of results: tables, plots and contact sheets, of the same parts as the report's."""
