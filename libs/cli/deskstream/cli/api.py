"""Talking to the HTTP API of a desk."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from deskstream.cli.place import Place
from deskstream.cli.problem import Problem

WITHIN_S: Final = 20.0


class Refused(Problem):
    """The API said no. `details` are what it has to say beside the sentence."""

    def __init__(self, sentence: str, details: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.details = details


class Api:
    """Calls in one agent's name, or in nobody's for what only reads."""

    def __init__(self, place: Place, agent: str | None = None) -> None:
        self._url, token = place.api
        self._headers = {"Authorization": f"Bearer {token}"} | ({"X-Agent": agent} if agent else {})

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer as an object. Raises Problem when there is none."""
        return self._call("GET", path, params={name: value for name, value in (query or {}).items() if value})

    def post(self, path: str, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
        """The same for a command; `key` makes it safe to repeat."""
        return self._call("POST", path, json=dict(body), headers={"Idempotency-Key": key})

    def _call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        try:
            answer = httpx.request(
                method, f"{self._url}{path}", headers={**self._headers, **(headers or {})}, timeout=WITHIN_S, **more
            )
        except httpx.TimeoutException:
            raise Problem(
                f"{self._url} did not answer within {WITHIN_S:g} s. `deskstream doctor` finds out why."
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Problem(f"{self._url} cannot be reached ({error}). Does the desk run?") from None
        return self._content(answer)

    def _content(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise Problem(f"{self._url} answers {answer.status_code}, but not as a desk does: is it the right address?")
        if answer.is_success:
            return content
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise Problem("The API does not know this token: look at DESKSTREAM_GATEWAY_TOKEN.")
        details = content.get("details")
        raise Refused(str(content.get("detail", answer.reason_phrase)), details if isinstance(details, dict) else {})
