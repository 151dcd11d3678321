//! Python objects from JSON text.

use ocpp_codec::Limits;
use ocpp_codec::json::{NotJson, Scanner, Token};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

fn not_json(error: NotJson) -> PyErr {
    PyValueError::new_err(format!("not JSON at byte {}: {}", error.at, error.reason))
}

/// The value of a whole text; a payload of `null` counts as `{}` (F1).
pub fn build<'py>(py: Python<'py>, payload: &[u8], limits: &Limits) -> PyResult<Bound<'py, PyAny>> {
    let text = std::str::from_utf8(payload).map_err(|error| PyValueError::new_err(error.to_string()))?;
    let mut scan = Scanner::nested(text, limits, 1);
    scan.space();
    if scan.token().map_err(not_json)? == Token::Null {
        return Ok(PyDict::new(py).into_any());
    }
    value(py, &mut scan)
}

fn value<'py>(py: Python<'py>, scan: &mut Scanner<'_>) -> PyResult<Bound<'py, PyAny>> {
    match scan.token().map_err(not_json)? {
        Token::String => {
            let text = scan.string().map_err(not_json)?;
            Ok(PyString::new(py, &text.value()).into_any())
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
        Token::False => scan.literal("false").map_err(not_json).map(|()| PyBool::new(py, false).to_owned().into_any()),
        Token::Null => scan.literal("null").map_err(not_json).map(|()| py.None().into_bound(py)),
        Token::Array => {
            scan.enter().map_err(not_json)?;
            let list = PyList::empty(py);
            let mut count = 0;
            while scan.element(&mut count).map_err(not_json)? {
                list.append(value(py, scan)?)?;
            }
            Ok(list.into_any())
        }
        Token::Object => {
            scan.enter().map_err(not_json)?;
            let dict = PyDict::new(py);
            let mut count = 0;
            while let Some(name) = scan.member(&mut count).map_err(not_json)? {
                dict.set_item(PyString::new(py, &name.value()), value(py, scan)?)?;
            }
            Ok(dict.into_any())
        }
    }
}
