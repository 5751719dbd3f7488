"""Readers of dropped files, row by row in bounded memory: CSV, JSON, NDJSON, lines and calendars."""
