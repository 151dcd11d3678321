"""Changes to sessions that had ended already: each is kept, so that whoever billed can tell what to bill instead (design 3.2)."""

from __future__ import annotations

from typing import Any

from csms.clock import Ids
from csms.domain.facts import changes, facts
from csms.domain.session_state import SessionState
from csms.ledger.encoding import encode
from csms.ledger.port import SessionKey
from csms.ledger.rows import CorrectionRow


class Corrections:
    """The finished sessions that the messages of one group commit touch."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._watched: dict[SessionKey, tuple[SessionState, dict[str, Any], str]] = {}

    def watch(self, session: SessionState, cause: str) -> None:
        """`session` is about to be changed by `cause`. Without effect while it runs."""
        key = (session.tenant_id, session.session_id)
        if session.status != "active" and key not in self._watched:
            self._watched[key] = (session, facts(session), cause)

    def take(self) -> list[tuple[SessionState, CorrectionRow]]:
        """The watched sessions whose facts are other ones now, and what to keep of it. They are watched no longer."""
        rows = []
        watched, self._watched = self._watched, {}
        for session, before, cause in watched.values():
            changed = changes(before, facts(session))
            if changed:
                key = (session.tenant_id, session.session_id)
                rows.append((session, CorrectionRow(*key, self._ids.uuid7(), cause, encode(changed))))
        return rows
