//! `Connection`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ocpp_codec::{OwnedEvent, UsageError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::catalogue::Catalogue;
use crate::events;
use crate::fault::usage_error;
use crate::limits::Limits;

/// Server side of one socket. The receiver's thread decodes by it, too; no Python runs while it is locked.
#[pyclass(frozen, module = "gateway._native")]
pub struct Connection {
    pub inner: Arc<Mutex<ocpp_codec::Connection>>,
    catalogue: Py<Catalogue>,
}

impl Connection {
    fn codec(&self) -> MutexGuard<'_, ocpp_codec::Connection> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        Self { inner: Arc::new(Mutex::new(inner)), catalogue: catalogue.clone().unbind() }
    }

    fn receive<'py>(&self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let mut told = Vec::new();
        self.codec().receive(data, &mut |event| told.push(OwnedEvent::from(&event)));
        events::list(py, self.catalogue.get(), &told)
    }

    #[pyo3(signature = (subprotocol, *, compression, max_message))]
    fn accept<'py>(
        &self,
        py: Python<'py>,
        subprotocol: Option<&str>,
        compression: bool,
        max_message: usize,
    ) -> Frame<'py> {
        frame(py, self.codec().accept(subprotocol, compression, max_message))
    }

    fn reject<'py>(&self, py: Python<'py>, status: u16, headers: Vec<(String, String)>, body: &[u8]) -> Frame<'py> {
        frame(py, self.codec().reject(status, &headers, body))
    }

    fn encode_call<'py>(&self, py: Python<'py>, message_id: &str, action: &str, payload: &[u8]) -> Frame<'py> {
        frame(py, self.codec().encode_call(message_id, action, payload))
    }

    fn expect(&self, py: Python<'_>, message_id: &str, action: &str) -> PyResult<()> {
        self.codec().expect(message_id, action).map_err(|error| usage_error(py, error))
    }

    fn forget(&self, message_id: &str) {
        self.codec().forget(message_id);
    }

    fn encode_result<'py>(&self, py: Python<'py>, message_id: &str, action: &str, payload: &[u8]) -> Frame<'py> {
        frame(py, self.codec().encode_result(message_id, action, payload))
    }

    fn encode_error<'py>(
        &self,
        py: Python<'py>,
        message_id: &str,
        code: &str,
        description: &str,
        details: &[u8],
    ) -> Frame<'py> {
        frame(py, self.codec().encode_error(message_id, code, description, details))
    }

    fn ping<'py>(&self, py: Python<'py>, payload: &[u8]) -> Frame<'py> {
        frame(py, self.codec().ping(payload))
    }

    fn close<'py>(&self, py: Python<'py>, code: u16, reason: &str) -> Frame<'py> {
        frame(py, self.codec().close(code, reason))
    }

    #[getter]
    fn buffered(&self) -> usize {
        self.codec().buffered()
    }
}
