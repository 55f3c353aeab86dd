"""What a sweep's section is made of: the bill, plots, sentences. `study.read_study` is where it begins."""
