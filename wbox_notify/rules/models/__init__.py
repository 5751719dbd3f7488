"""Models of a rule file: keys, values and their meaning."""
