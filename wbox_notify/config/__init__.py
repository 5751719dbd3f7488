"""The settings of an installation, and the strict YAML that they and the rules are written in."""
