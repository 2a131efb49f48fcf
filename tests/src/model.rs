//! The model of a fixture suite, `model.json` beside it: what each test must do, the counts, the exit code.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Counts;

/// What must come out.
#[derive(Clone, Debug)]
pub struct Model {
    /// Node id to outcome in the words of [`crate::Truth::outcomes`].
    pub tests: BTreeMap<String, String>,
    /// How each test that takes its process down does it: `signal 9 (SIGKILL)`, `exit code 3`.
    pub how: BTreeMap<String, String>,
    /// Counts of the final line.
    pub counts: Counts,
    /// The exit code.
    pub exit: i32,
}

impl Model {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let words = |name: &str| -> BTreeMap<String, String> {
            let table = value.get(name).and_then(Value::as_object).into_iter().flatten();
            table.map(|(id, word)| (id.clone(), word.as_str().expect("a word").to_owned())).collect()
        };
        let counts = value["counts"].as_object().expect("`counts` of a model");
        Self {
            tests: words("tests"),
            how: words("how"),
            counts: Counts(counts.iter().map(|(name, n)| (name.clone(), n.as_u64().expect("number"))).collect()),
            exit: i32::try_from(value["exit"].as_i64().expect("`exit` of a model")).expect("an exit code"),
        }
    }

    /// Node ids, sorted.
    pub fn ids(&self) -> Vec<String> {
        self.tests.keys().cloned().collect()
    }
}
