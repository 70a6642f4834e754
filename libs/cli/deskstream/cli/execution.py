"""Carrying out what a command does: on an event loop, with foreign errors told in our words."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import asyncpg
import structlog
import uvloop
from nats.errors import Error as NatsError

from deskstream.cli.problem import Problem, misused
from deskstream.runtime.embedded.processes import EmbeddedServerError
from deskstream.runtime.migrations import MigrationError
from deskstream.runtime.privileges.credentials import CredentialsError
from deskstream.runtime.settings import SettingsError

Result = TypeVar("Result")

_NOT_UP_TO_DATE: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
)


def carry_out(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs the coroutine to its end, without the libraries' logs: a command tells in sentences what it meets.

    Raises Problem for everything that can go wrong with servers and settings.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger().addHandler(logging.NullHandler())
    return serve(work)


def serve(work: Coroutine[Any, Any, Result]) -> Result:
    """The same with logs, for what runs services."""
    with in_our_words(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raises Problem for what servers, settings and libraries raise."""
    try:
        yield
    except BrokenPipeError:
        raise
    except SettingsError as error:
        raise misused(str(error)) from None
    except (EmbeddedServerError, MigrationError, CredentialsError, TimeoutError) as error:
        raise Problem(str(error) or "Nobody answered in time. `deskstream doctor` finds out who.") from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise Problem(f"PostgreSQL does not let us in: {error}. Look at DESKSTREAM_POSTGRES_URL.") from None
    except _NOT_UP_TO_DATE as error:
        raise Problem(f"The database is not up to date ({error}): run `deskstream migrate`.") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Problem(f"PostgreSQL refuses: {error}") from None
    except NatsError as error:
        raise Problem(f"NATS refuses: {error}") from None
    except OSError as error:
        raise Problem(f"A server cannot be reached: {error}. `deskstream doctor` finds out which.") from None
