"""OCPI 2.2.1 towards a partner: the version of our model, so all that is to be done is to keep later ones out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from schemas.ocpi221.base import OcpiObject, Remark
from schemas.ocpi221.credentials import Credentials, CredentialsRole
from schemas.ocpi221.reading import Reading, read
from schemas.ocpi221.versions import VersionDetails, VersionNumber
from schemas.ocpi221.writing import document as as_document
from schemas.ocpi_versions.adapter import ObjectAdapter
from schemas.ocpi_versions.newer import FIT_221, query_without_newer, without_newer
from schemas.ocpi_versions.port import Context, Converted, Peer, VersionRequest

_LATER_MODULES: Final = frozenset({"invoicereconciliation"})


class Adapter221(ObjectAdapter):
    """What partners send is taken as it is: whoever uses it reads it."""

    version: VersionNumber = "2.2.1"
    routed: Final = True

    def up(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        return Converted(document)

    def down(self, type_: type[OcpiObject], document: Any, context: Context, *, partial: bool = False) -> Converted:
        return without_newer(type_, document, FIT_221, {}, partial=partial)

    def query_down(self, request: VersionRequest) -> tuple[tuple[tuple[str, str], ...], tuple[Remark, ...]]:
        return query_without_newer(request, self.version)

    def details_up(self, document: Any, role: Peer | None = None) -> Reading[VersionDetails]:
        return read(VersionDetails, document)

    def details_down(self, details: VersionDetails, role: Peer | None = None) -> Converted:
        """V7: modules of later versions are not shown."""
        kept = tuple(endpoint for endpoint in details.endpoints if endpoint.identifier not in _LATER_MODULES)
        return Converted(as_document(VersionDetails(version=self.version, endpoints=kept)))

    def credentials_up(self, document: Any, role: Peer | None = None) -> Reading[Credentials]:
        return read(Credentials, document)

    def credentials_down(
        self, credentials: Credentials, role: Peer | None = None, reachable: Sequence[CredentialsRole] = ()
    ) -> Converted:
        """C9: parties behind a hub are told by HubClientInfo."""
        return Converted(as_document(credentials))
