//! Names already seen in one object.

use std::borrow::Cow;
use std::collections::HashSet;

/// Below this a linear look is cheaper than hashing.
const LINEAR: usize = 16;

/// Set of member names of one object; refuses duplicates in time linear in the number of names.
#[derive(Default)]
pub struct KeySet<'a> {
    few: Vec<Cow<'a, str>>,
    /// Keyed hashing (SipHash with a random key), so that chosen names cannot collide.
    many: HashSet<Cow<'a, str>>,
}

impl<'a> KeySet<'a> {
    /// Add a name; false if it was there.
    pub fn insert(&mut self, name: Cow<'a, str>) -> bool {
        if self.many.is_empty() {
            if self.few.contains(&name) {
                return false;
            }
            if self.few.len() < LINEAR {
                self.few.push(name);
                return true;
            }
            self.many.extend(self.few.drain(..));
        }
        self.many.insert(name)
    }

    /// Number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.few.len() + self.many.len()
    }

    /// Whether no name was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
