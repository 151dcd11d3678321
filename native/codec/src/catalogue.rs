//! All actions of all versions with their payload types, compiled once and shared by every connection.

use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::json::Scanner;
use crate::limits::Limits;
use crate::schema::names::NameTable;
use crate::schema::table::{Compiler, NodeId, Nodes, RawTables, TableError};
use crate::schema::validate;

/// Index of a version in its catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionId(usize);

/// Index of an action in its catalogue; the same name in two versions is two actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionId(usize);

impl ActionId {
    /// Position in [`Catalogue::actions`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// Which payload of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
}

/// One action of one version.
#[derive(Debug)]
pub struct Action {
    pub name: Box<str>,
    /// Stations may send its request.
    pub from_station: bool,
    /// We may send its request.
    pub from_csms: bool,
    /// Carried by SEND (2.1) instead of CALL.
    pub send: bool,
    /// Its loss would lose money: kept in quarantine when refused.
    pub billing: bool,
    request: NodeId,
    response: Option<NodeId>,
}

impl Action {
    /// Type of the payload; `None` for the response of an action that has none.
    #[must_use]
    pub fn node(&self, kind: Kind) -> Option<NodeId> {
        match kind {
            Kind::Request => Some(self.request),
            Kind::Response => self.response,
        }
    }
}

#[derive(Debug)]
struct Version {
    name: Box<str>,
    dialect: Dialect,
    actions: NameTable,
    first: usize,
}

/// Compiled type tables.
#[derive(Debug)]
pub struct Catalogue {
    versions: Vec<Version>,
    actions: Vec<Action>,
    nodes: Nodes,
}

impl Catalogue {
    /// Compile type tables from their JSON form.
    ///
    /// # Errors
    /// The tables are not JSON of the expected shape, name a type that is not there, or define a name twice.
    pub fn new(tables: &[u8]) -> Result<Self, TableError> {
        let raw: RawTables = serde_json::from_slice(tables).map_err(|e| TableError(e.to_string()))?;
        let mut nodes = Nodes::default();
        let mut versions = Vec::new();
        let mut actions = Vec::new();
        for (name, version) in &raw.versions {
            let mut compiler = Compiler::new(&version.types, &mut nodes)?;
            let first = actions.len();
            for (action, raw) in &version.actions {
                let at = format!("{name} {action}");
                if raw.response.is_none() && !raw.send {
                    return Err(TableError(format!("{at}: a response is missing")));
                }
                actions.push(Action {
                    name: action.as_str().into(),
                    from_station: raw.from_station,
                    from_csms: raw.from_csms,
                    send: raw.send,
                    billing: raw.billing,
                    request: compiler.payload(&raw.request, &at)?,
                    response: raw.response.as_ref().map(|r| compiler.payload(r, &at)).transpose()?,
                });
            }
            let names = version.actions.keys().map(|k| k.as_str().into()).collect();
            let names = NameTable::new(names).ok_or_else(|| TableError(format!("{name}: too many actions")))?;
            versions.push(Version { name: name.as_str().into(), dialect: version.dialect, actions: names, first });
        }
        Ok(Self { versions, actions, nodes })
    }

    /// Version by sub-protocol name.
    #[must_use]
    pub fn version(&self, name: &str) -> Option<VersionId> {
        self.versions.iter().position(|v| v.name.as_ref() == name).map(VersionId)
    }

    /// RPC dialect of a version.
    #[must_use]
    pub fn dialect(&self, version: VersionId) -> Dialect {
        self.versions.get(version.0).map_or(Dialect::V16, |v| v.dialect)
    }

    /// Action of a version by its exact name.
    #[must_use]
    pub fn find(&self, version: VersionId, name: &str) -> Option<ActionId> {
        let version = self.versions.get(version.0)?;
        Some(ActionId(version.first + version.actions.find(name)?))
    }

    /// The actions with this name, of all versions.
    pub fn named(&self, name: &str) -> impl Iterator<Item = ActionId> {
        self.actions
            .iter()
            .enumerate()
            .filter(move |(_, action)| action.name.as_ref() == name)
            .map(|(id, _)| ActionId(id))
    }

    /// The action with this id; `None` for an id of another catalogue.
    #[must_use]
    pub fn action(&self, id: ActionId) -> Option<&Action> {
        self.actions.get(id.0)
    }

    /// All actions, in the order of their ids.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// All member names and enumeration values of all versions, with repetitions.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.nodes.words()
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Check a payload that stands alone. Direction is not checked. `null` counts as `{}` (F1).
    ///
    /// # Errors
    /// The first failed check, rows 1, 2, 7, 10 and 12 to 16.
    pub fn validate(
        &self,
        version: VersionId,
        action: &str,
        kind: Kind,
        payload: &[u8],
        limits: &Limits,
    ) -> Result<(), Fault> {
        let dialect = self.dialect(version);
        let Some(node) = self.find(version, action).and_then(|id| self.action(id)?.node(kind)) else {
            return Err(Fault::new(dialect, 10, String::new(), "action", "unknown action"));
        };
        self.check(dialect, node, payload, limits).map(|_| ())
    }

    /// The same for a payload whose type is known; gives its text.
    pub(crate) fn check<'p>(
        &self,
        dialect: Dialect,
        node: NodeId,
        payload: &'p [u8],
        limits: &Limits,
    ) -> Result<&'p str, Fault> {
        let fault = |row, rule, what: &str| Err(Fault::new(dialect, row, String::new(), rule, what));
        let Ok(text) = simdutf8::basic::from_utf8(payload) else {
            return fault(1, "utf-8", "UTF-8 required");
        };
        // The payload of a frame stands one level deep in its array.
        let mut scanner = Scanner::nested(text, limits, 1);
        scanner.space();
        let outcome = validate::payload(&mut scanner, &self.nodes, node, dialect);
        match outcome.and_then(|found| scanner.end().map(|()| found)) {
            Err(e) => fault(2, "json", &format!("not JSON at byte {}: {}", e.at, e.reason)),
            Ok(Some(found)) => Err(found),
            Ok(None) => Ok(text),
        }
    }
}
