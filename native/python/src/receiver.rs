//! `Receiver`.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ocpp_receiver::{Arrived, Pace};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::catalogue::Catalogue;
use crate::connection::Connection;
use crate::events;

/// Bytes of all sockets together that may wait for Python.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Reads sockets in a thread of its own.
#[pyclass(frozen, module = "gateway._native")]
pub struct Receiver {
    /// None once it was closed.
    inner: Mutex<Option<ocpp_receiver::Receiver>>,
    catalogue: Py<Catalogue>,
}

type Deliveries<'py> = Vec<(u64, Option<Bound<'py, PyList>>)>;

impl Receiver {
    fn inner(&self) -> MutexGuard<'_, Option<ocpp_receiver::Receiver>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Receiver {
    #[new]
    #[pyo3(signature = (catalogue, *, hurried, gather_s, crowd, busy_per_second))]
    fn new(
        catalogue: &Bound<'_, Catalogue>,
        hurried: Vec<String>,
        gather_s: f64,
        crowd: usize,
        busy_per_second: f64,
    ) -> PyResult<Self> {
        let gather = Duration::try_from_secs_f64(gather_s)
            .map_err(|error| PyValueError::new_err(format!("gather_s: {error}")))?;
        let known = catalogue.get();
        let hurried = hurried.iter().flat_map(|name| known.inner.named(name)).collect::<Vec<_>>();
        let pace = Pace { gather, crowd, busy_per_second, most_bytes: MOST_BYTES };
        let inner = ocpp_receiver::Receiver::new(pace, hurried)?;
        Ok(Self { inner: Mutex::new(Some(inner)), catalogue: catalogue.clone().unbind() })
    }

    fn fileno(&self) -> PyResult<RawFd> {
        Ok(self.inner().as_ref().ok_or_else(closed)?.wake().as_raw_fd())
    }

    fn watch(&self, socket: RawFd, codec: &Bound<'_, Connection>, read_size: usize) -> PyResult<u64> {
        let codec = Arc::clone(&codec.get().inner);
        Ok(self.inner().as_ref().ok_or_else(closed)?.watch(socket, codec, read_size)?)
    }

    fn again(&self, tokens: Vec<u64>) {
        if let Some(inner) = self.inner().as_ref() {
            tokens.into_iter().for_each(|token| inner.again(token));
        }
    }

    fn leave(&self, token: u64) {
        if let Some(inner) = self.inner().as_ref() {
            inner.leave(token);
        }
    }

    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Deliveries<'py>> {
        let taken = self.inner().as_ref().ok_or_else(closed)?.take(most)?;
        let catalogue = self.catalogue.get();
        let given = taken.iter().map(|delivery| {
            let events = match &delivery.arrived {
                Arrived::Events(told) => Some(events::list(py, catalogue, told)?),
                Arrived::End => None,
            };
            Ok((delivery.token, events))
        });
        given.collect()
    }

    fn close(&self) {
        let ended = self.inner().take();
        drop(ended);
    }
}

/// Sends without letting go of the interpreter: a call this short costs less than asking for it back.
#[pyfunction]
pub fn send(socket: RawFd, data: &[u8]) -> PyResult<usize> {
    Ok(ocpp_receiver::send_now(socket, data)?)
}

fn closed() -> PyErr {
    PyValueError::new_err("the receiver is closed")
}
