//! What the user is told when the server listens.

use std::io::Write;
use std::net::SocketAddr;

use crate::listen::reachable;
use crate::store::{Entry, FIRST};

/// Prints it to standard output; a closed one is nobody's fault.
pub(super) fn print(addresses: &[SocketAddr], tokens: &[Entry]) {
    let _ = std::io::stdout().lock().write_all(text(addresses, tokens).as_bytes());
}

fn text(addresses: &[SocketAddr], tokens: &[Entry]) -> String {
    let listening: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let listening = listening.join(" and ");
    let mut entries: Vec<&Entry> = tokens.iter().collect();
    entries.sort_by_key(|entry| (entry.name != FIRST, &entry.name));
    let Some(entry) = entries.first() else {
        return format!(
            "listening on {listening}\n\
             nobody can connect: there is no token; `socketserver token new` makes one\n"
        );
    };
    let address = reachable(addresses).map_or_else(|| "HOST:PORT".to_owned(), |address| address.to_string());
    format!(
        "listening on {listening}\n\
         token: {}\n\
         on the controller, once:  xdist --trust {address}    (asks for the token)\n\
         then:                     xdist --tx socket={address}\n",
        entry.path.display()
    )
}
