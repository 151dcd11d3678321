//! The validator: one pass over the text of a payload, no tree, every check of rows 12 to 16.
//!
//! A fault does not end the pass: a later one may stand in a lower row, and only the end of the text proves that it was
//! JSON at all (row 2). The fault reported is the one with the lowest row, then the smallest position in the document; a field
//! that is missing stands where its object begins, a list of wrong length where the list begins.

use std::fmt::Write;

use super::table::{Node, NodeId, Nodes, ObjectNode, StringNode};
use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::json::keys::KeySet;
use crate::json::scan::Result;
use crate::json::{NotJson, Number, Scanner, Text, Token};

/// Longest piece of a peer's member name that is kept in a path.
const MAX_NAME: usize = 64;

/// Where we are in the payload: a list linked through the stack, so that it costs nothing while all is well.
#[derive(Clone, Copy)]
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'p str),
    Element(usize),
}

impl<'p> Path<'p> {
    fn then(&'p self, step: Step<'p>) -> Path<'p> {
        Path { parent: Some(self), step }
    }

    /// JSON pointer (RFC 6901).
    fn pointer(&self, out: &mut String) {
        if let Some(parent) = self.parent {
            parent.pointer(out);
        }
        match self.step {
            Step::Root => {}
            Step::Member(name) => {
                out.push('/');
                for c in name.chars().take(MAX_NAME) {
                    match c {
                        '~' => out.push_str("~0"),
                        '/' => out.push_str("~1"),
                        c if c.is_control() => out.push('\u{fffd}'),
                        c => out.push(c),
                    }
                }
            }
            Step::Element(index) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "/{index}");
            }
        }
    }
}

struct Finding {
    at: usize,
    fault: Fault,
}

struct Validator<'v, 'a> {
    scan: &'v mut Scanner<'a>,
    nodes: &'v Nodes,
    dialect: Dialect,
    best: Option<Finding>,
}

/// Check the payload at the scanner's position against an object type and step over it; `null` counts as `{}`.
/// Gives the fault to report, if any (rows 7 and 12 to 16).
///
/// # Errors
/// Not JSON (row 2).
pub fn payload(
    scan: &mut Scanner<'_>,
    nodes: &Nodes,
    node: NodeId,
    dialect: Dialect,
) -> std::result::Result<Option<Fault>, NotJson> {
    let mut validator = Validator { scan, nodes, dialect, best: None };
    let root = Path { parent: None, step: Step::Root };
    match (validator.scan.token()?, nodes.get(node)) {
        (Token::Object, Node::Object(object)) => validator.object(object, &root)?,
        (Token::Null, Node::Object(object)) => {
            validator.scan.literal("null")?;
            validator.missing(object, 0, 0, &root);
        }
        _ => {
            validator.scan.skip()?;
            validator.report(7, 0, &root, "type", "payload must be an object");
        }
    }
    Ok(validator.best.map(|found| found.fault))
}

impl<'a> Validator<'_, 'a> {
    #[cold]
    fn report(&mut self, row: u8, at: usize, path: &Path<'_>, rule: &'static str, what: &str) {
        if self.best.as_ref().is_some_and(|best| (best.fault.row, best.at) <= (row, at)) {
            return;
        }
        let mut pointer = String::new();
        path.pointer(&mut pointer);
        self.best = Some(Finding { at, fault: Fault::new(self.dialect, row, pointer, rule, what) });
    }

    fn value(&mut self, node: NodeId, path: &Path<'_>) -> Result<()> {
        let nodes = self.nodes;
        let token = self.scan.token()?;
        match (nodes.get(node), token) {
            (Node::String(string), Token::String) => {
                let at = self.scan.pos();
                let text = self.scan.string()?;
                self.string(string, text, at, path);
                Ok(())
            }
            (Node::Object(object), Token::Object) => self.object(object, path),
            (&Node::Array { min, max, items }, Token::Array) => self.array(min, max, items, path),
            (&Node::Integer { min, max }, Token::Number) => {
                let at = self.scan.pos();
                let number = self.scan.number()?;
                self.integer(min, max, number, at, path);
                Ok(())
            }
            (&Node::Number { min, max }, Token::Number) => {
                let at = self.scan.pos();
                let number = self.scan.number()?;
                if min.is_some() || max.is_some() {
                    self.range(min, max, number.as_f64(), at, path);
                }
                Ok(())
            }
            (Node::Boolean, Token::True) => self.scan.literal("true"),
            (Node::Boolean, Token::False) => self.scan.literal("false"),
            (Node::Any, _) => self.scan.skip(),
            (node, _) => {
                self.report(14, self.scan.pos(), path, "type", demand(node));
                self.scan.skip()
            }
        }
    }

    fn object(&mut self, object: &ObjectNode, path: &Path<'_>) -> Result<()> {
        let start = self.scan.pos();
        self.scan.enter()?;
        let mut count = 0;
        let mut seen = 0_u64;
        // Made only when a name outside the definition turns up.
        let mut others: Option<KeySet<'_>> = None;
        loop {
            // The name begins at its quote, after the comma and white space; good enough to order faults by.
            let at = self.scan.pos();
            let Some(name) = self.scan.member(&mut count)? else { break };
            let name = name.value();
            if let Some(index) = object.names.find(&name)
                && let Some(&node) = object.types.get(index)
            {
                let bit = 1_u64 << index;
                if seen & bit != 0 {
                    return self.scan.duplicate();
                }
                seen |= bit;
                self.value(node, &path.then(Step::Member(object.names.name(index))))?;
            } else {
                if !object.open {
                    self.report(13, at, &path.then(Step::Member(&name)), "additionalProperties", "unknown field");
                }
                if !others.get_or_insert_default().insert(name) {
                    return self.scan.duplicate();
                }
                self.scan.skip()?;
            }
        }
        self.missing(object, seen, start, path);
        Ok(())
    }

    fn missing(&mut self, object: &ObjectNode, seen: u64, start: usize, path: &Path<'_>) {
        let missing = object.required & !seen;
        if missing != 0 {
            let name = object.names.name(missing.trailing_zeros() as usize);
            self.report(12, start, &path.then(Step::Member(name)), "required", "required field missing");
        }
    }

    fn array(&mut self, min: usize, max: Option<usize>, items: NodeId, path: &Path<'_>) -> Result<()> {
        let start = self.scan.pos();
        self.scan.enter()?;
        let mut count = 0;
        while self.scan.element(&mut count)? {
            self.value(items, &path.then(Step::Element(count - 1)))?;
        }
        if count < min {
            self.report(15, start, path, "minItems", &format!("at least {min} elements required"));
        } else if let Some(max) = max.filter(|&max| count > max) {
            self.report(15, start, path, "maxItems", &format!("at most {max} elements allowed"));
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, string: &StringNode, text: Text<'a>, at: usize, path: &Path<'_>) {
        if let Some(members) = &string.members {
            if members.find(&text.value()).is_none() {
                self.report(16, at, path, "enum", "value is not one of those allowed");
            }
            return;
        }
        // A text is never shorter in bytes than in code points.
        if let Some(max) = string.max
            && text.raw.len() > max
            && text.code_points() > max
        {
            self.report(16, at, path, "maxLength", &format!("at most {max} characters allowed"));
        }
        if string.min > 0 && text.code_points() < string.min {
            let min = string.min;
            self.report(16, at, path, "minLength", &format!("at least {min} characters required"));
        }
        if let Some(format) = string.format
            && !format.holds(&text.value())
        {
            self.report(16, at, path, "format", format.demand());
        }
    }

    fn integer(&mut self, min: i64, max: i64, number: Number<'a>, at: usize, path: &Path<'_>) {
        if !number.integer {
            self.report(14, at, path, "type", "integer required");
            return;
        }
        // Beyond 64 bits: out of any range, on the side its sign says.
        let beyond = if number.raw.starts_with('-') { i64::MIN } else { i64::MAX };
        let value = number.raw.parse::<i64>();
        if value.is_err() || value.as_ref().is_ok_and(|v| !(min..=max).contains(v)) {
            let (rule, what) = if value.unwrap_or(beyond) < min {
                ("minimum", format!("at least {min} required"))
            } else {
                ("maximum", format!("at most {max} allowed"))
            };
            self.report(16, at, path, rule, &what);
        }
    }

    fn range(&mut self, min: Option<f64>, max: Option<f64>, value: f64, at: usize, path: &Path<'_>) {
        if let Some(min) = min.filter(|&min| value < min) {
            self.report(16, at, path, "minimum", &format!("at least {min} required"));
        } else if let Some(max) = max.filter(|&max| value > max) {
            self.report(16, at, path, "maximum", &format!("at most {max} allowed"));
        }
    }
}

fn demand(node: &Node) -> &'static str {
    match node {
        Node::Object(_) => "object required",
        Node::String(_) => "string required",
        Node::Integer { .. } => "integer required",
        Node::Number { .. } => "number required",
        Node::Boolean => "boolean required",
        Node::Array { .. } => "array required",
        Node::Any => "any value",
    }
}
