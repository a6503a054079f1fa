"""How sales scatter around their mean."""
