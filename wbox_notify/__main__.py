"""``python -m wbox_notify`` is the command ``wbox-notify``."""

from wbox_notify.cli import main

main()
