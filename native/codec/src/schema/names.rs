//! Perfect hash of a fixed set of names: members of an object, members of an enumeration, actions.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// Marks a free slot.
const FREE: u16 = u16::MAX;
/// Seeds tried per table size before the table is doubled.
const SEEDS: u64 = 64;

/// Finds a name's index with one hash and one comparison.
#[derive(Debug, Clone)]
pub struct NameTable {
    names: Vec<Box<str>>,
    slots: Box<[u16]>,
    hasher: FixedState,
}

fn hash(hasher: &FixedState, name: &str) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(name.as_bytes());
    state.finish()
}

/// Equality of names. Nearly all are 4 to 16 bytes long: two overlapping words decide without a call of `memcmp`.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(a0), Some(b0), Some(a1), Some(b1)) if a.len() <= 16 => a0 == b0 && a1 == b1,
        (None, _, _, _) => match (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>())
        {
            (Some(a0), Some(b0), Some(a1), Some(b1)) => a0 == b0 && a1 == b1,
            _ => a == b,
        },
        _ => a == b,
    }
}

impl NameTable {
    /// Table of distinct names; `None` if a name occurs twice or there are too many.
    #[must_use]
    pub fn new(names: Vec<Box<str>>) -> Option<Self> {
        let mut sorted: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        sorted.sort_unstable();
        if names.len() >= usize::from(FREE) || sorted.windows(2).any(|pair| pair.first() == pair.last()) {
            return None;
        }
        let mut size = (names.len() * 2).next_power_of_two();
        loop {
            for seed in 0..SEEDS {
                let hasher = FixedState::with_seed(seed);
                if let Some(slots) = Self::place(&names, size, &hasher) {
                    return Some(Self { names, slots, hasher });
                }
            }
            size *= 2;
        }
    }

    /// The slots, if no two names fall into the same one.
    fn place(names: &[Box<str>], size: usize, hasher: &FixedState) -> Option<Box<[u16]>> {
        let mut slots = vec![FREE; size];
        for (index, name) in (0..).zip(names) {
            let slot = slots.get_mut(hash(hasher, name) as usize & (size - 1))?;
            if *slot != FREE {
                return None;
            }
            *slot = index;
        }
        Some(slots.into_boxed_slice())
    }

    /// Index of `name`.
    #[must_use]
    #[inline]
    pub fn find(&self, name: &str) -> Option<usize> {
        let at = hash(&self.hasher, name) as usize & (self.slots.len() - 1);
        let index = usize::from(*self.slots.get(at)?);
        equal(self.names.get(index)?.as_bytes(), name.as_bytes()).then_some(index)
    }

    /// Name at `index`.
    #[must_use]
    pub fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", AsRef::as_ref)
    }

    /// All names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_and_nothing_else() {
        for count in [0_usize, 1, 2, 3, 30, 300] {
            let names: Vec<Box<str>> = (0..count).map(|i| format!("Energy.{i}.Register").into()).collect();
            let table = NameTable::new(names.clone()).unwrap();
            for (index, name) in names.iter().enumerate() {
                assert_eq!(table.find(name), Some(index));
                assert_eq!(table.name(index), name.as_ref());
                assert_eq!(table.find(&name.to_lowercase()), None);
            }
            assert_eq!(table.find(""), None);
        }
    }

    #[test]
    fn refuses_a_name_given_twice() {
        assert!(NameTable::new(vec!["a".into(), "b".into(), "a".into()]).is_none());
    }
}
