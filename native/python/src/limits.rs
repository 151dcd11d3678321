//! `Limits`.

use std::sync::Arc;

use pyo3::prelude::*;

/// What a peer may make one connection hold or walk through.
#[pyclass(frozen, module = "gateway._native")]
pub struct Limits {
    pub inner: Arc<ocpp_codec::Limits>,
}

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(signature = (
        *, max_message = 65_536, max_head = 8_192, max_header_lines = 64, max_depth = 32, max_keys = 1_000,
        max_items = 10_000, max_number_length = 40
    ))]
    fn new(
        max_message: usize,
        max_head: usize,
        max_header_lines: usize,
        max_depth: usize,
        max_keys: usize,
        max_items: usize,
        max_number_length: usize,
    ) -> Self {
        let inner = ocpp_codec::Limits {
            max_message,
            max_head,
            max_header_lines,
            max_depth,
            max_keys,
            max_items,
            max_number_length,
        };
        Self { inner: Arc::new(inner) }
    }

    #[getter]
    fn max_message(&self) -> usize {
        self.inner.max_message
    }

    #[getter]
    fn max_head(&self) -> usize {
        self.inner.max_head
    }

    #[getter]
    fn max_header_lines(&self) -> usize {
        self.inner.max_header_lines
    }

    #[getter]
    fn max_depth(&self) -> usize {
        self.inner.depth()
    }

    #[getter]
    fn max_keys(&self) -> usize {
        self.inner.max_keys
    }

    #[getter]
    fn max_items(&self) -> usize {
        self.inner.max_items
    }

    #[getter]
    fn max_number_length(&self) -> usize {
        self.inner.max_number_length
    }
}
