//! `Fault` and `InvalidPayload`.

use ocpp_codec::UsageError;
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    gateway._native,
    InvalidPayload,
    PyValueError,
    "A payload breaks its schema; `fault` says where and how."
);

/// The first failed check of a message.
#[pyclass(frozen, module = "gateway._native")]
pub struct Fault {
    inner: ocpp_codec::Fault,
}

impl From<ocpp_codec::Fault> for Fault {
    fn from(inner: ocpp_codec::Fault) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl Fault {
    #[getter]
    fn row(&self) -> u8 {
        self.inner.row
    }

    #[getter]
    fn code(&self) -> &str {
        self.inner.code
    }

    #[getter]
    fn path(&self) -> &str {
        &self.inner.path
    }

    #[getter]
    fn rule(&self) -> &str {
        self.inner.rule
    }

    #[getter]
    fn description(&self) -> &str {
        &self.inner.description
    }

    fn __repr__(&self) -> String {
        format!(
            "Fault(row={}, code={:?}, rule={:?}, description={:?})",
            self.inner.row, self.inner.code, self.inner.rule, self.inner.description
        )
    }
}

/// `InvalidPayload` that carries `fault`.
pub fn invalid_payload(py: Python<'_>, fault: ocpp_codec::Fault) -> PyErr {
    let error = InvalidPayload::new_err(fault.description.clone());
    match error.value(py).setattr("fault", Fault::from(fault)) {
        Ok(()) => error,
        Err(failure) => failure,
    }
}

/// The exception for a wrong use of the codec.
pub fn usage_error(py: Python<'_>, error: UsageError) -> PyErr {
    match error {
        UsageError::InvalidPayload(fault) => invalid_payload(py, fault),
        UsageError::Phase(text) | UsageError::Argument(text) => PyValueError::new_err(text),
    }
}
