//! `MeterReader`.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use ocpp_codec::Limits;
use ocpp_codec::metering::{Metering, read};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// Layouts that are remembered; the next one drops all of them. Bounds what invented units can make us keep.
const LAYOUTS: usize = 1024;

type Ordinary<'py> = (Vec<(Bound<'py, PyString>, Py<PyAny>, Vec<&'py str>)>, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Reads the meter values of payloads, with what the caller has made of each layout when it came first.
#[pyclass(module = "gateway._native")]
#[derive(Default)]
pub struct MeterReader {
    layouts: HashMap<Box<str>, Py<PyAny>, RandomState>,
    limits: Limits,
}

#[pymethods]
impl MeterReader {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// (timestamp, layout, values) of each, the array as it stands, and the payload without it; None when something is not
    /// ordinary or a layout not known.
    fn read<'py>(&self, py: Python<'py>, payload: &'py [u8]) -> Option<Ordinary<'py>> {
        let Metering { meter_values, text, rest } = read(std::str::from_utf8(payload).ok()?, &self.limits)?;
        let mut known = Vec::with_capacity(meter_values.len());
        for one in meter_values {
            let layout = self.layouts.get(one.layout.as_str())?.clone_ref(py);
            known.push((PyString::new(py, one.timestamp), layout, one.values));
        }
        Some((known, PyBytes::new(py, text.as_bytes()), PyBytes::new(py, rest.as_bytes())))
    }

    /// Remember the layouts of a payload's meter values, in their order; without effect when something is not ordinary.
    fn learn(&mut self, payload: &[u8], layouts: Vec<Py<PyAny>>) {
        let Some(found) = std::str::from_utf8(payload).ok().and_then(|text| read(text, &self.limits)) else { return };
        if found.meter_values.len() != layouts.len() {
            return;
        }
        for (one, layout) in found.meter_values.into_iter().zip(layouts) {
            if self.layouts.len() >= LAYOUTS {
                self.layouts.clear();
            }
            self.layouts.insert(one.layout.into_boxed_str(), layout);
        }
    }
}
