//! Python objects from JSON text.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use ocpp_codec::json::{NotJson, Scanner, Text, Token};
use ocpp_codec::{Catalogue, Limits};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

/// The texts that the schemas define, as Python strings made once: member names and enumeration values.
pub struct Words(HashMap<Box<str>, Py<PyString>, RandomState>);

impl Words {
    pub fn new(py: Python<'_>, catalogue: &Catalogue) -> Self {
        Self(catalogue.words().map(|word| (word.into(), PyString::intern(py, word).unbind())).collect())
    }

    fn string<'py>(&self, py: Python<'py>, text: &Text<'_>) -> Bound<'py, PyString> {
        match self.0.get(text.raw) {
            // No word has a backslash: a raw text that equals one means it.
            Some(word) => word.bind(py).clone(),
            None => PyString::new(py, &text.value()),
        }
    }

    /// The value of a whole text; a payload of `null` counts as `{}` (F1).
    pub fn build<'py>(&self, py: Python<'py>, payload: &[u8], limits: &Limits) -> PyResult<Bound<'py, PyAny>> {
        let text = std::str::from_utf8(payload).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut scan = Scanner::nested(text, limits, 1);
        scan.space();
        if scan.token().map_err(not_json)? == Token::Null {
            return Ok(PyDict::new(py).into_any());
        }
        self.value(py, &mut scan)
    }

    fn value<'py>(&self, py: Python<'py>, scan: &mut Scanner<'_>) -> PyResult<Bound<'py, PyAny>> {
        match scan.token().map_err(not_json)? {
            Token::String => {
                let text = scan.string().map_err(not_json)?;
                Ok(self.string(py, &text).into_any())
            }
            Token::Number => {
                let number = scan.number().map_err(not_json)?;
                if !number.integer {
                    return Ok(PyFloat::new(py, number.as_f64()).into_any());
                }
                match number.raw.parse::<i64>() {
                    Ok(small) => Ok(PyInt::new(py, small).into_any()),
                    Err(_) => py.get_type::<PyInt>().call1((number.raw,)),
                }
            }
            Token::True => scan.literal("true").map_err(not_json).map(|()| PyBool::new(py, true).to_owned().into_any()),
            Token::False => {
                scan.literal("false").map_err(not_json).map(|()| PyBool::new(py, false).to_owned().into_any())
            }
            Token::Null => scan.literal("null").map_err(not_json).map(|()| py.None().into_bound(py)),
            Token::Array => {
                scan.enter().map_err(not_json)?;
                let list = PyList::empty(py);
                let mut count = 0;
                while scan.element(&mut count).map_err(not_json)? {
                    list.append(self.value(py, scan)?)?;
                }
                Ok(list.into_any())
            }
            Token::Object => {
                scan.enter().map_err(not_json)?;
                let dict = PyDict::new(py);
                let mut count = 0;
                while let Some(name) = scan.member(&mut count).map_err(not_json)? {
                    dict.set_item(self.string(py, &name), self.value(py, scan)?)?;
                }
                Ok(dict.into_any())
            }
        }
    }
}

fn not_json(error: NotJson) -> PyErr {
    PyValueError::new_err(format!("not JSON at byte {}: {}", error.at, error.reason))
}
