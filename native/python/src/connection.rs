//! `Connection`.

use std::sync::Arc;

use ocpp_codec::UsageError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::catalogue::Catalogue;
use crate::events;
use crate::fault::usage_error;
use crate::limits::Limits;

/// Server side of one socket.
#[pyclass(module = "gateway._native")]
pub struct Connection {
    inner: ocpp_codec::Connection,
    catalogue: Py<Catalogue>,
}

type Frame<'py> = PyResult<Bound<'py, PyBytes>>;

fn frame<'py>(py: Python<'py>, encoded: Result<Vec<u8>, UsageError>) -> Frame<'py> {
    encoded.map(|bytes| PyBytes::new(py, &bytes)).map_err(|error| usage_error(py, error))
}

#[pymethods]
impl Connection {
    #[new]
    fn new(catalogue: &Bound<'_, Catalogue>, limits: &Bound<'_, Limits>) -> Self {
        let inner = ocpp_codec::Connection::new(Arc::clone(&catalogue.get().inner), Arc::clone(&limits.get().inner));
        Self { inner, catalogue: catalogue.clone().unbind() }
    }

    fn receive<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let catalogue = self.catalogue.get();
        // Nearly always there is one event, or none: a list is made to fit them.
        let mut first = None;
        let mut more = Vec::new();
        let mut failure = None;
        self.inner.receive(data, &mut |event| match events::tuple(py, catalogue, &event) {
            Ok(tuple) if first.is_none() => first = Some(tuple),
            Ok(tuple) => more.push(tuple),
            Err(error) => {
                failure.get_or_insert(error);
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        if more.is_empty() {
            return PyList::new(py, first);
        }
        more.splice(0..0, first);
        PyList::new(py, more)
    }

    #[pyo3(signature = (subprotocol, *, compression, max_message))]
    fn accept<'py>(
        &mut self,
        py: Python<'py>,
        subprotocol: Option<&str>,
        compression: bool,
        max_message: usize,
    ) -> Frame<'py> {
        frame(py, self.inner.accept(subprotocol, compression, max_message))
    }

    fn reject<'py>(&mut self, py: Python<'py>, status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Frame<'py> {
        frame(py, self.inner.reject(status, &headers, body))
    }

    fn encode_call<'py>(&mut self, py: Python<'py>, message_id: &str, action: &str, payload: &[u8]) -> Frame<'py> {
        frame(py, self.inner.encode_call(message_id, action, payload))
    }

    fn expect(&mut self, py: Python<'_>, message_id: &str, action: &str) -> PyResult<()> {
        self.inner.expect(message_id, action).map_err(|error| usage_error(py, error))
    }

    fn forget(&mut self, message_id: &str) {
        self.inner.forget(message_id);
    }

    fn encode_result<'py>(&mut self, py: Python<'py>, message_id: &str, action: &str, payload: &[u8]) -> Frame<'py> {
        frame(py, self.inner.encode_result(message_id, action, payload))
    }

    fn encode_error<'py>(
        &mut self,
        py: Python<'py>,
        message_id: &str,
        code: &str,
        description: &str,
        details: &[u8],
    ) -> Frame<'py> {
        frame(py, self.inner.encode_error(message_id, code, description, details))
    }

    fn ping<'py>(&self, py: Python<'py>, payload: &[u8]) -> Frame<'py> {
        frame(py, self.inner.ping(payload))
    }

    fn close<'py>(&mut self, py: Python<'py>, code: u16, reason: &str) -> Frame<'py> {
        frame(py, self.inner.close(code, reason))
    }

    #[getter]
    fn buffered(&self) -> usize {
        self.inner.buffered()
    }
}
