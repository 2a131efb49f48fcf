//! `socketserver token new|list|revoke`. What is asked for goes to standard output, talk to standard error.

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::arguments::TokenCommand;
use crate::store::{Entry, Store, StoreError};
use crate::{FAILED, USAGE_ERROR, complain};

pub(crate) fn run(what: &TokenCommand) -> ExitCode {
    let done = Store::of_this_user().and_then(|store| match what {
        TokenCommand::New { name, expires } => {
            let entry = store.add(name.as_deref(), *expires, Timestamp::now())?;
            say(&format!("token `{}`, kept in {}", entry.name, entry.path.display()));
            print(&entry.token.to_text());
            Ok(())
        }
        TokenCommand::List => list(&store),
        TokenCommand::Revoke { name } => {
            let name = store.remove(name)?;
            say(&format!("token `{name}` is revoked; a running server ends its sessions"));
            Ok(())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ (StoreError::Name(_) | StoreError::Taken(_) | StoreError::Unknown(_))) => {
            complain(&error, USAGE_ERROR)
        }
        Err(error) => complain(&error, FAILED),
    }
}

fn list(store: &Store) -> Result<(), StoreError> {
    let (entries, wrong) = store.tokens(&store.key()?)?;
    let now = Timestamp::now();
    let rows: Vec<[String; 4]> = entries.iter().map(|entry| row(entry, now)).collect();
    let head = ["NAME", "ID", "MADE", "EXPIRES"].map(str::to_owned);
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [name, id, made, expires] in [&head].into_iter().chain(&rows) {
        print(&format!("{name:0$}  {id:1$}  {made:2$}  {expires}", widths[0], widths[1], widths[2]));
    }
    for error in wrong {
        say(&format!("warning: {error}"));
    }
    Ok(())
}

fn row(entry: &Entry, now: Timestamp) -> [String; 4] {
    let made = entry.made.map_or_else(|| "unknown".to_owned(), |made| format!("{made:.0}"));
    let expires = match entry.expires {
        None => "never".to_owned(),
        Some(time) if entry.is_expired(now) => format!("{time:.0} (expired)"),
        Some(time) => format!("{time:.0}"),
    };
    [entry.name.clone(), entry.token.id().to_string(), made, expires]
}

fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
