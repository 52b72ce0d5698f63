"""The few chart shapes; every picture comes with the sentence that a screen reader says instead."""
