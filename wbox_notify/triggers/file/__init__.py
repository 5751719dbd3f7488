"""File trigger: one event for each finished version of each file in the watched folders.

The listing is the truth; inotify is a hint that makes it quick.
"""
