//! Payloads that are right by construction, made from the same type tables that the codec compiles, but read independently.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use serde_json::Value;

use crate::chance::Chance;

/// A type of the tables.
enum Shape {
    Object { fields: Vec<(String, bool, Rc<Shape>)>, custom_data: bool },
    Text { min: usize, max: usize, form: Form },
    Integer { min: i64, max: i64 },
    Number { min: f64, max: f64 },
    Boolean,
    Array { min: usize, max: usize, items: Rc<Shape> },
    Any,
}

enum Form {
    Plain,
    OneOf(Vec<String>),
    Time,
    Uri,
    Identifier,
}

/// One payload of one action.
pub struct Sort {
    shape: Rc<Shape>,
}

/// One action of one version.
pub struct Action {
    pub name: String,
    pub from_station: bool,
    pub from_csms: bool,
    pub send: bool,
    pub request: Sort,
    pub response: Option<Sort>,
}

/// One version.
pub struct Version {
    pub name: String,
    pub actions: Vec<Action>,
}

/// Bytes after which no more optional members are made.
const ENOUGH: usize = 2_000;

/// Read the type tables.
pub fn read(tables: &[u8]) -> Vec<Version> {
    let tables: Value = serde_json::from_slice(tables).expect("the tables are JSON");
    let versions = tables["versions"].as_object().expect("versions");
    versions.iter().map(|(name, version)| Version { name: name.clone(), actions: actions(version) }).collect()
}

fn actions(version: &Value) -> Vec<Action> {
    let mut known = BTreeMap::new();
    let mut sort = |node: &Value| Sort { shape: shape(node, &version["types"], &mut known) };
    let actions = version["actions"].as_object().expect("actions");
    actions
        .iter()
        .map(|(name, action)| Action {
            name: name.clone(),
            from_station: action["from_station"] == true,
            from_csms: action["from_csms"] == true,
            send: action["send"] == true,
            request: sort(&action["request"]),
            response: action["response"].is_object().then(|| sort(&action["response"])),
        })
        .collect()
}

fn shape(node: &Value, types: &Value, known: &mut BTreeMap<String, Rc<Shape>>) -> Rc<Shape> {
    let size = |name: &str, other: usize| node[name].as_u64().map_or(other, |n| n as usize);
    let made = match node["t"].as_str().expect("t") {
        "ref" => {
            let name = node["name"].as_str().expect("name");
            if let Some(shape) = known.get(name) {
                return Rc::clone(shape);
            }
            let made = shape(&types[name], types, known);
            known.insert(name.to_owned(), Rc::clone(&made));
            return made;
        }
        "object" => Shape::Object {
            fields: node["fields"]
                .as_array()
                .expect("fields")
                .iter()
                .map(|f| {
                    (
                        f["name"].as_str().expect("name").to_owned(),
                        f["required"] == true,
                        shape(&f["type"], types, known),
                    )
                })
                .collect(),
            custom_data: node["custom_data"] == true,
        },
        "string" => Shape::Text {
            min: size("min", 0),
            max: size("max", 80),
            form: match (node["enum"].as_array(), node["format"].as_str()) {
                (Some(words), _) => Form::OneOf(words.iter().map(|w| w.as_str().expect("word").to_owned()).collect()),
                (None, Some("date-time")) => Form::Time,
                (None, Some("uri")) => Form::Uri,
                (None, Some("identifier")) => Form::Identifier,
                (None, _) => Form::Plain,
            },
        },
        "integer" => Shape::Integer {
            min: node["min"].as_i64().unwrap_or(i64::from(i32::MIN)),
            max: node["max"].as_i64().unwrap_or(i64::from(i32::MAX)),
        },
        "number" => {
            Shape::Number { min: node["min"].as_f64().unwrap_or(-1e300), max: node["max"].as_f64().unwrap_or(1e300) }
        }
        "boolean" => Shape::Boolean,
        "array" => Shape::Array {
            min: size("min", 0),
            max: size("max", usize::MAX),
            items: shape(&node["items"], types, known),
        },
        "any" => Shape::Any,
        other => panic!("unknown kind of type {other}"),
    };
    Rc::new(made)
}

impl Sort {
    /// A right payload as JSON text; `eager` adds optional members.
    pub fn right(&self, chance: &mut Chance, eager: bool) -> String {
        let mut out = String::new();
        write(&self.shape, &mut out, chance, eager);
        out
    }
}

fn write(shape: &Shape, out: &mut String, chance: &mut Chance, eager: bool) {
    match shape {
        Shape::Object { fields, custom_data } => {
            out.push('{');
            let mut first = true;
            for (name, required, shape) in fields {
                if !required && (out.len() > ENOUGH || !(if eager { !chance.once_in(8) } else { chance.once_in(6) })) {
                    continue;
                }
                let comma = if first { "" } else { "," };
                let _ = write!(out, "{comma}\"{name}\":");
                first = false;
                write(shape, out, chance, eager);
            }
            if *custom_data && chance.once_in(10) && !fields.iter().any(|(name, ..)| name == "customData") {
                let comma = if first { "" } else { "," };
                let _ = write!(out, "{comma}\"customData\":{{\"vendorId\":\"org.example\",\"x\":[1,\"two\",null]}}");
            }
            out.push('}');
        }
        Shape::Text { min, max, form } => text(*min, *max, form, out, chance),
        &Shape::Integer { min, max } => {
            let _ = match chance.below(6) {
                0 => write!(out, "{min}"),
                1 => write!(out, "{max}"),
                _ => write!(out, "{}", (chance.below(1_000) as i64).clamp(min, max)),
            };
        }
        &Shape::Number { min, max } => {
            let value = (*chance.pick(&[0.0_f64, -7.5, 16.5, 230.0, 123_456.789, 1e20])).clamp(min, max);
            let _ = write!(out, "{value}");
        }
        Shape::Boolean => out.push_str(chance.pick::<&str>(&["true", "false"])),
        Shape::Array { min, max, items } => {
            let more = if out.len() > ENOUGH { 0 } else { chance.below(3) };
            out.push('[');
            for index in 0..(min + more).min(*max) {
                if index > 0 {
                    out.push(',');
                }
                write(items, out, chance, eager);
            }
            out.push(']');
        }
        Shape::Any => out.push_str(chance.pick::<&str>(&["null", "5", "\"x\"", "[1,[2,{\"a\":null}]]", "{\"b\":1e3}"])),
    }
}

fn text(min: usize, max: usize, form: &Form, out: &mut String, chance: &mut Chance) {
    out.push('"');
    match form {
        Form::OneOf(words) => out.push_str(chance.pick::<String>(words)),
        Form::Time => out.push_str(chance.pick::<&str>(&[
            "2024-02-29T23:59:59Z",
            "2031-01-01T00:00:00.123456+05:30",
            "2016-12-31T23:59:60.5Z",
            "2025-05-05T05:05:05",
        ])),
        Form::Uri => out.push_str("https://example.org/a%20b?c=d"),
        Form::Identifier => {
            for _ in 0..chance.between(min.max(1), max.min(12)) {
                out.push_str(chance.pick::<&str>(&["a", "Z", "0", "*", "-", "_", "=", ":", "+", "|", "@", "."]));
            }
        }
        Form::Plain => {
            let length = match chance.below(12) {
                0 => min,
                1 if max <= 300 => max,
                _ => chance.between(min, max.min(min + 10)),
            };
            for _ in 0..length {
                out.push_str(match chance.below(24) {
                    0 => "\u{fc}",
                    1 => "\\u20ac",
                    2 => "\\ud83d\\udd0c",
                    3 => "\u{1f50c}",
                    4 => "\\n",
                    5 => "\\\"",
                    _ => "abcdefXYZ 0123-_:"[..].get(chance.below(16)..).and_then(|s| s.get(..1)).unwrap_or("a"),
                });
            }
        }
    }
    out.push('"');
}
