"""`deskstream run`: services on servers of one's own, as containers do it."""

from typing import Annotated, Final

import typer

from deskstream.cli import services
from deskstream.cli.execution import in_our_words, serve
from deskstream.cli.place import find_place
from deskstream.runtime.launch import run_until_signalled
from deskstream.runtime.logs import configure_logging
from deskstream.runtime.settings import RuntimeSettings, read_settings

app = typer.Typer()

OF_SERVERS: Final = ("nats_url", "nats_seed_file", "credentials", "postgres_url", "postgres_password_file")


@app.command()
def command(
    wanted: Annotated[list[str], typer.Argument(metavar="all|NAMES...", help="Which services, or `all`.")],
) -> None:
    """Run some services, or all, on servers of your own.

    The servers are those that DESKSTREAM_NATS_URL and DESKSTREAM_POSTGRES_URL name. The database must be up to date
    (`deskstream migrate`) and the streams must exist (`deskstream provision`). SIGTERM or Ctrl-C stops in good order:
    what is being handled is finished. With DESKSTREAM_HEALTH_PORT, /live and /ready tell how it is.
    """
    declarations = services.chosen(wanted)
    settings = _settings()
    configure_logging(settings.log_format, level=settings.log_level)
    serve(run_until_signalled(declarations, settings))


def _settings() -> RuntimeSettings:
    """The environment's, on the servers of the place."""
    servers = find_place().servers
    with in_our_words():
        update = {name: getattr(servers, name) for name in OF_SERVERS}
        return read_settings(RuntimeSettings).model_copy(update=update)
