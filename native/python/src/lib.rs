//! `gateway._native`: the codec and the receiver as a Python module. Conversions only; every rule is in `ocpp-codec`.

use pyo3::prelude::*;

mod catalogue;
mod connection;
mod events;
mod fault;
mod limits;
mod metering;
mod objects;
mod receiver;

/// OCPP-J server side: WebSocket, JSON and schema validation in one machine per connection.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::catalogue::Catalogue;
    #[pymodule_export]
    use crate::connection::Connection;
    #[pymodule_export]
    use crate::fault::{Fault, InvalidPayload};
    #[pymodule_export]
    use crate::limits::Limits;
    #[pymodule_export]
    use crate::metering::MeterReader;
    #[pymodule_export]
    use crate::receiver::{Receiver, send};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::events::Tag::ALL.iter().try_for_each(|&(name, tag)| module.add(name, tag as u8))
    }
}
