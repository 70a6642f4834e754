"""`deskstream asyncapi`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from deskstream.cli import output, services
from deskstream.cli.problem import misused
from deskstream.contracts.asyncapi import ServiceDescription, document

app = typer.Typer()


@app.command()
def command(
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write it into this file instead.")] = None,
) -> None:
    """Print all messages and subjects of the installed services as an AsyncAPI 3.0 document, in JSON.

    Who says what and who hears it follows from the services' declarations, so it is never out of date.
    """
    descriptions = [
        ServiceDescription(name=service.name, hears=service.hears, says=service.says, calls=service.calls)
        for service in services.installed()
    ]
    text = json.dumps(document(descriptions), indent=2, ensure_ascii=False)
    if file is None:
        output.json_line(text)
        return
    try:
        file.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        raise misused(f"{file} cannot be written: {error.strerror}.") from None
    output.hint(f"Written to {file}.")
