//! Compiles the JSON type tables (made from the typed definitions in `schemas/`) into what the validator walks.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::format::Format;
use super::names::NameTable;
use crate::dialect::Dialect;

/// Members one object type may define: the validator keeps those it has seen in one word.
const MAX_FIELDS: usize = 64;
const INT32: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);

/// Index of a [`Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(u32);

/// A compiled type.
#[derive(Debug, Clone)]
pub enum Node {
    Object(ObjectNode),
    String(StringNode),
    Integer { min: i64, max: i64 },
    Number { min: Option<f64>, max: Option<f64> },
    Boolean,
    Array { min: usize, max: Option<usize>, items: NodeId },
    Any,
}

#[derive(Debug, Clone)]
pub struct ObjectNode {
    pub names: NameTable,
    pub types: Vec<NodeId>,
    /// Bit n is set if field n must be there.
    pub required: u64,
    /// Whether members outside the definition are allowed.
    pub open: bool,
}

#[derive(Debug, Clone)]
pub struct StringNode {
    pub min: usize,
    pub max: Option<usize>,
    pub format: Option<Format>,
    pub members: Option<NameTable>,
}

/// All compiled types of all versions.
#[derive(Debug, Default)]
pub struct Nodes(Vec<Node>);

impl Nodes {
    /// The type with this id.
    #[must_use]
    #[inline]
    pub fn get(&self, id: NodeId) -> &Node {
        self.0.get(id.0 as usize).unwrap_or(&Node::Any)
    }

    /// All member names and enumeration values, with repetitions.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let tables = self.0.iter().filter_map(|node| match node {
            Node::Object(object) => Some(&object.names),
            Node::String(string) => string.members.as_ref(),
            _ => None,
        });
        tables.flat_map(NameTable::iter)
    }

    fn push(&mut self, node: Node) -> Result<NodeId, TableError> {
        let id = u32::try_from(self.0.len()).map_err(|_| TableError("too many types".into()))?;
        self.0.push(node);
        Ok(NodeId(id))
    }
}

/// The tables are not usable; the text says where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError(pub String);

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TableError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTables {
    pub versions: BTreeMap<String, RawVersion>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawVersion {
    pub dialect: Dialect,
    pub types: BTreeMap<String, RawNode>,
    pub actions: BTreeMap<String, RawAction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAction {
    pub from_station: bool,
    pub from_csms: bool,
    #[serde(default)]
    pub billing: bool,
    /// 2.1: the action is sent with SEND (type 6), never with CALL.
    #[serde(default)]
    pub send: bool,
    pub request: RawNode,
    /// Absent for an action that is only sent with SEND.
    #[serde(default)]
    pub response: Option<RawNode>,
}

#[derive(Deserialize)]
#[serde(tag = "t", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum RawNode {
    Object {
        fields: Vec<RawField>,
        #[serde(default)]
        open: bool,
        #[serde(default)]
        custom_data: bool,
    },
    Ref {
        name: String,
    },
    String {
        #[serde(default)]
        min: Option<usize>,
        #[serde(default)]
        max: Option<usize>,
        #[serde(default)]
        format: Option<Format>,
        #[serde(default, rename = "enum")]
        members: Option<Vec<Box<str>>>,
    },
    Integer {
        #[serde(default)]
        min: Option<i64>,
        #[serde(default)]
        max: Option<i64>,
    },
    Number {
        #[serde(default)]
        min: Option<f64>,
        #[serde(default)]
        max: Option<f64>,
    },
    Boolean {},
    Any {},
    Array {
        #[serde(default)]
        min: Option<usize>,
        #[serde(default)]
        max: Option<usize>,
        items: Box<RawNode>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawField {
    pub name: Box<str>,
    pub required: bool,
    #[serde(rename = "type")]
    pub node: RawNode,
}

/// Compiles the nodes of one version.
pub(crate) struct Compiler<'r, 'n> {
    types: &'r BTreeMap<String, RawNode>,
    nodes: &'n mut Nodes,
    /// Types already begun; a type that mentions itself finds its own id here.
    known: BTreeMap<&'r str, NodeId>,
    custom_data: NodeId,
}

impl<'r, 'n> Compiler<'r, 'n> {
    pub fn new(types: &'r BTreeMap<String, RawNode>, nodes: &'n mut Nodes) -> Result<Self, TableError> {
        let vendor = nodes.push(Node::String(StringNode { min: 0, max: Some(255), format: None, members: None }))?;
        let custom_data = nodes.push(Node::Object(ObjectNode {
            names: table_of(vec!["vendorId".into()], "customData")?,
            types: vec![vendor],
            required: 1,
            open: true,
        }))?;
        Ok(Self { types, nodes, known: BTreeMap::new(), custom_data })
    }

    /// Compile a payload type: it must be an object.
    pub fn payload(&mut self, raw: &'r RawNode, at: &str) -> Result<NodeId, TableError> {
        let id = self.node(raw, at)?;
        match self.nodes.get(id) {
            Node::Object(_) => Ok(id),
            _ => Err(TableError(format!("{at}: a payload must be an object"))),
        }
    }

    fn node(&mut self, raw: &'r RawNode, at: &str) -> Result<NodeId, TableError> {
        if let RawNode::Ref { name } = raw {
            return self.reference(name, at);
        }
        let id = self.nodes.push(Node::Any)?;
        self.fill(id, raw, at)?;
        Ok(id)
    }

    fn reference(&mut self, name: &'r str, at: &str) -> Result<NodeId, TableError> {
        if let Some(&id) = self.known.get(name) {
            return Ok(id);
        }
        let raw = self.types.get(name).ok_or_else(|| TableError(format!("{at}: no type {name:?}")))?;
        if matches!(raw, RawNode::Ref { .. }) {
            return Err(TableError(format!("type {name:?} only refers to another type")));
        }
        let id = self.nodes.push(Node::Any)?;
        self.known.insert(name, id);
        self.fill(id, raw, name)?;
        Ok(id)
    }

    /// Compile `raw` into the place reserved for it.
    fn fill(&mut self, id: NodeId, raw: &'r RawNode, at: &str) -> Result<(), TableError> {
        let node = match raw {
            RawNode::Object { fields, open, custom_data } => self.object(fields, *open, *custom_data, at)?,
            RawNode::String { min, max, format, members } => Node::String(StringNode {
                min: min.unwrap_or(0),
                max: *max,
                format: *format,
                members: members.as_ref().map(|m| enumeration(m, at)).transpose()?,
            }),
            RawNode::Integer { min, max } => Node::Integer { min: min.unwrap_or(INT32.0), max: max.unwrap_or(INT32.1) },
            RawNode::Number { min, max } => Node::Number { min: *min, max: *max },
            RawNode::Boolean {} => Node::Boolean,
            RawNode::Any {} | RawNode::Ref { .. } => Node::Any,
            RawNode::Array { min, max, items } => {
                Node::Array { min: min.unwrap_or(0), max: *max, items: self.node(items, at)? }
            }
        };
        if let Some(place) = self.nodes.0.get_mut(id.0 as usize) {
            *place = node;
        }
        Ok(())
    }

    fn object(&mut self, fields: &'r [RawField], open: bool, custom_data: bool, at: &str) -> Result<Node, TableError> {
        let mut names = Vec::with_capacity(fields.len() + 1);
        let mut types = Vec::with_capacity(fields.len() + 1);
        let mut required = 0;
        for (bit, field) in fields.iter().enumerate() {
            if bit >= MAX_FIELDS - 1 {
                return Err(TableError(format!("{at}: more than {} fields", MAX_FIELDS - 1)));
            }
            types.push(self.node(&field.node, &format!("{at}.{}", field.name))?);
            names.push(field.name.clone());
            required |= u64::from(field.required) << bit;
        }
        if custom_data && !fields.iter().any(|f| f.name.as_ref() == "customData") {
            names.push("customData".into());
            types.push(self.custom_data);
        }
        Ok(Node::Object(ObjectNode { names: table_of(names, at)?, types, required, open }))
    }
}

fn table_of(names: Vec<Box<str>>, at: &str) -> Result<NameTable, TableError> {
    NameTable::new(names).ok_or_else(|| TableError(format!("{at}: a name occurs twice")))
}

/// An enumeration; the published 1.6 schemas spell a unit both `Celcius` and `Celsius`, so either stands for both.
fn enumeration(members: &[Box<str>], at: &str) -> Result<NameTable, TableError> {
    let mut members = members.to_vec();
    for (one, other) in [("Celcius", "Celsius"), ("Celsius", "Celcius")] {
        let has = |name: &str| members.iter().any(|m| m.as_ref() == name);
        if has(one) && !has(other) {
            members.push(other.into());
        }
    }
    table_of(members, at)
}
