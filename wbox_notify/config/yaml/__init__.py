"""Strict YAML with the place of each value, its validation, and problems shown at their place."""
