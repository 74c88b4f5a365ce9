"""``python -m kubestray`` is the command ``kubestray``."""

from kubestray.cli import main

main()
