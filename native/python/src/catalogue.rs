//! `Catalogue`.

use std::sync::Arc;

use ocpp_codec::{ActionId, Kind, Limits, VersionId};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::fault::{Fault, invalid_payload};
use crate::objects::Words;

/// All actions of all versions with their payload types, compiled once.
#[pyclass(frozen, module = "gateway._native")]
pub struct Catalogue {
    pub inner: Arc<ocpp_codec::Catalogue>,
    /// Action names as Python strings, made once, by action id.
    names: Vec<Py<PyString>>,
    words: Words,
}

impl Catalogue {
    pub fn action_name<'py>(&self, py: Python<'py>, action: ActionId) -> Option<&Bound<'py, PyString>> {
        self.names.get(action.index()).map(|name| name.bind(py))
    }

    fn version(&self, name: &str) -> PyResult<VersionId> {
        self.inner.version(name).ok_or_else(|| PyValueError::new_err(format!("unknown version {name:?}")))
    }
}

fn kind(name: &str) -> PyResult<Kind> {
    match name {
        "request" => Ok(Kind::Request),
        "response" => Ok(Kind::Response),
        _ => Err(PyValueError::new_err("kind must be \"request\" or \"response\"")),
    }
}

#[pymethods]
impl Catalogue {
    #[new]
    fn new(py: Python<'_>, tables: &[u8]) -> PyResult<Self> {
        let inner = ocpp_codec::Catalogue::new(tables).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let names = inner.actions().iter().map(|a| PyString::intern(py, &a.name).unbind()).collect();
        let words = Words::new(py, &inner);
        Ok(Self { inner: Arc::new(inner), names, words })
    }

    fn validate(&self, version: &str, action: &str, kind: &str, payload: &[u8]) -> PyResult<Option<Fault>> {
        let (version, kind) = (self.version(version)?, self::kind(kind)?);
        let outcome = self.inner.validate(version, action, kind, payload, &Limits::default());
        Ok(outcome.err().map(Fault::from))
    }

    fn decode<'py>(
        &self,
        py: Python<'py>,
        version: &str,
        action: &str,
        kind: &str,
        payload: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let (version, kind) = (self.version(version)?, self::kind(kind)?);
        let limits = Limits::default();
        let outcome = self.inner.validate(version, action, kind, payload, &limits);
        outcome.map_err(|fault| invalid_payload(py, fault))?;
        self.words.build(py, payload, &limits)
    }
}
