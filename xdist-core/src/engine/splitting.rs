//! Which tests stay together, where a scheduler of a plugin or conftest says so: the plugin host is asked once all tests
//! are known.

use std::sync::Arc;

use super::Engine;
use crate::collection::Collection;
use crate::protocol::ToPython;

/// Whether a plugin's scheduler says which tests stay together.
#[derive(Debug, Default)]
pub(super) enum Splitting {
    #[default]
    No,
    /// It does, and is asked once all tests are known.
    Wanted,
    Asked,
    /// The unit of each test.
    Told(Vec<u32>),
}

impl Splitting {
    /// Before the question.
    pub(super) fn wanted(wanted: bool) -> Self {
        if wanted { Self::Wanted } else { Self::No }
    }
}

impl Engine<'_> {
    /// Has a plugin's scheduler say which tests stay together; false while its answer is awaited.
    pub(super) fn split_by_host(&mut self, collection: &mut Arc<Collection>) -> bool {
        let Some(host) = self.host.as_mut().filter(|_| !collection.ids.is_empty()) else { return true };
        match std::mem::replace(&mut host.splitting, Splitting::Asked) {
            Splitting::No => {
                host.splitting = Splitting::No;
                true
            }
            Splitting::Told(units) => {
                if units.len() == collection.ids.len() {
                    Arc::make_mut(collection).units = units;
                }
                true
            }
            Splitting::Asked => false,
            Splitting::Wanted => {
                self.send_host(ToPython::Split(names_with_groups(collection)));
                false
            }
        }
    }

    /// A plugin's scheduler has said which tests stay together.
    pub(super) fn host_split(&mut self, units: Vec<u32>) {
        if let Some(host) = &mut self.host {
            host.splitting = Splitting::Told(units);
            self.begin_run_when_collected();
        }
    }
}

/// Node ids as schedulers know them: with the group of a test behind an at sign.
fn names_with_groups(collection: &Collection) -> Vec<String> {
    let groups = collection.group_names.iter().map(String::as_str).chain(std::iter::repeat(""));
    let named = |(id, group): (&String, &str)| if group.is_empty() { id.clone() } else { format!("{id}@{group}") };
    collection.ids.iter().zip(groups).map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_behind_node_ids() {
        let ids = vec!["test_a".to_owned(), "test_b".to_owned()];
        let mut collection = Collection { ids, ..Collection::default() };
        assert_eq!(names_with_groups(&collection), ["test_a", "test_b"]);
        collection.group_names = vec![String::new(), "one".to_owned()];
        assert_eq!(names_with_groups(&collection), ["test_a", "test_b@one"]);
    }
}
