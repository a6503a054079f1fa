"""Tables and draws -> figures; never saves."""
