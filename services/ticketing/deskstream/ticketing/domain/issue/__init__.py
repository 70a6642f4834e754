"""Issues: what engineers will do, in their language."""

from deskstream.ticketing.domain.issue.deciding import Message, decide
from deskstream.ticketing.domain.issue.state import Issue, IssueState, Joined, Unfiled, Watcher, evolve

__all__ = ["Issue", "IssueState", "Joined", "Message", "Unfiled", "Watcher", "decide", "evolve"]
