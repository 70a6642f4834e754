"""`python -m deskstream.runtime.probe`: what the process of this container says of its health; 0 when all is well."""

import http.client
import os
import sys
from typing import Final

ANSWER_WITHIN_S: Final = 5.0


def ask(path: str, port: int) -> tuple[bool, str]:
    """Whether the health of the process at `port` answers yes, and what it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status == http.client.OK, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"no answer at port {port}: {error or type(error).__name__}"
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """`/ready`, or another path that is named."""
    path = arguments[0] if arguments else "/ready"
    well, said = ask(path, int(os.environ.get("DESKSTREAM_HEALTH_PORT") or 0))
    print(said)  # noqa: T201 - the container engine keeps it as the reason
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
