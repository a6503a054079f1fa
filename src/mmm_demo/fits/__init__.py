"""One model: built, sampled, stored and evaluated."""
