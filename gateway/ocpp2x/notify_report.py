"""NotifyReport: a part of a device-model report (B07, B08)."""

from __future__ import annotations

from collections.abc import Iterator

from csms.domain.operations import DeviceVariable, StoreDeviceReport
from csms.domain.times import parse_station_time
from gateway.common.answers import empty_answer
from gateway.effects import Commit, Effect
from gateway.versions import StationContext
from schemas.ocpp21 import datatypes as datatypes21
from schemas.ocpp21 import provisioning as ocpp21
from schemas.ocpp201 import datatypes as datatypes201
from schemas.ocpp201 import provisioning as ocpp201
from schemas.wire import encode


def handle(context: StationContext, request: ocpp201.NotifyReportRequest | ocpp21.NotifyReportRequest, _payload: bytes) -> Effect:
    """Of an attribute reported twice in one message the last counts."""
    found: dict[tuple[object, ...], DeviceVariable] = {}
    for data in request.report_data or ():
        for variable in _variables(data):
            found[_key(variable)] = variable
    operation = StoreDeviceReport(
        tenant_id=context.tenant_id,
        station_id=context.station_id,
        request_id=request.request_id,
        seq_no=request.seq_no,
        to_be_continued=request.tbc or False,
        variables=list(found.values()),
        time=parse_station_time(request.generated_at),
        reference=str(request.request_id),
        caused_by=("GetBaseReport", "GetReport"),
    )
    return Commit(operation=operation, answer=empty_answer)


def _variables(data: datatypes201.ReportDataType | datatypes21.ReportDataType) -> Iterator[DeviceVariable]:
    component, variable = data.component, data.variable
    evse = component.evse
    characteristics = data.variable_characteristics
    about = None if characteristics is None else encode(characteristics)
    for attribute in data.variable_attribute:
        yield DeviceVariable(
            component=component.name,
            component_instance=component.instance or "",
            evse_id=0 if evse is None else evse.id,
            connector_id=0 if evse is None else evse.connector_id or 0,
            variable=variable.name,
            variable_instance=variable.instance or "",
            attribute=attribute.type or "Actual",
            value=attribute.value,
            mutability=attribute.mutability,
            persistent=attribute.persistent,
            constant=attribute.constant,
            characteristics=about,
        )


def _key(variable: DeviceVariable) -> tuple[object, ...]:
    return (
        variable.component,
        variable.component_instance,
        variable.evse_id,
        variable.connector_id,
        variable.variable,
        variable.variable_instance,
        variable.attribute,
    )
