"""Choosing a cluster shape in few trial runs: strategies behind one Protocol, and the loop that runs them."""
