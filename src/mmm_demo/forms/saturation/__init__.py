"""How the response levels off as spend grows."""
