"""What shapes that nobody rented would take: calibrated on runs that were made, predicted by a simulation of their tasks."""
