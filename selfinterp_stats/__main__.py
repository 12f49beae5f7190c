"""``python -m selfinterp_stats`` is the command ``selfinterp``."""

from selfinterp_stats.cli import main

if __name__ == "__main__":
    main()
