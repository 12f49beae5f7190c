"""Entry point of the command: exit statuses, and errors as a user sees them."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

import click

from selfinterp_stats._version import __version__
from selfinterp_stats.cli.commands import check_command, completion_command, demo_command, reanalyze_command
from selfinterp_stats.cli.fetching import fetch_command
from selfinterp_stats.errors import SelfInterpError

__all__ = ["main"]

DONE, BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Examples:\n\n  selfinterp demo\n\n  selfinterp fetch plunkett-2025\n\n  selfinterp check plunkett-2025\n\n"
    "  selfinterp reanalyze plunkett-2025 --out results",
)
@click.version_option(__version__, prog_name="selfinterp")
def cli() -> None:
    """Does this language model know why it decides as it does?

    Estimates the weights that a model's choices reveal and compares them with the weights that it reports.

    Exit status: 0 done, warnings included; 2 wrong usage or bad input; 130 interrupted; 1 a bug of ours.
    """


cli.add_command(demo_command)
cli.add_command(fetch_command)
cli.add_command(reanalyze_command)
cli.add_command(check_command)
cli.add_command(completion_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with its exit status."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    signal.signal(signal.SIGTERM, _interrupt)  # so that a polite kill leaves nothing half written either
    try:
        status = cli.main(args=arguments, prog_name="selfinterp", standalone_mode=False)
        return status if isinstance(status, int) else DONE
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except SelfInterpError as error:
        click.echo(f"selfinterp: error: {error}", err=True)
        return BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("selfinterp: interrupted; nothing was written", err=True)
        return INTERRUPTED
    except SystemExit:  # click's answer to a closed pipe: the reader of our output has seen enough
        return DONE
    except OSError as error:
        click.echo(f"selfinterp: error: {error}", err=True)
        return BAD_INPUT
    except Exception:
        click.echo("selfinterp: this is a bug of ours; please report it with the lines below", err=True)
        click.echo(traceback.format_exc(), err=True)
        return BUG


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
