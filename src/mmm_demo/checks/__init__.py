"""What is measured of a fit, the verdict on it, and the proof that it passed."""
