"""Archives: folders of tables, read as they were published."""

from selfinterp_stats.archive.fetching import fetch_archive
from selfinterp_stats.archive.reading import Archive, check_archive, read_archive

__all__ = ["Archive", "check_archive", "fetch_archive", "read_archive"]
