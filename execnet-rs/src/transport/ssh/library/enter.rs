//! From a connection to a running command: key exchange, the host's key, the user's keys. On the connection's own thread.

use std::net::TcpStream;
use std::path::Path;

use ssh2::{Channel, Error, ErrorCode, MethodType, Session};

use super::super::known_hosts::{Verdict, matches};
use super::super::plan::Plan;
use super::super::{Trouble, keys};
use super::known::Known;

/// What may be on its way to us before we have taken it: at 50 ms of distance, 160 MB/s.
const WINDOW: u32 = 8 * 1024 * 1024;

/// The largest packet, as OpenSSH has it.
const PACKET: u32 = 32 * 1024;

/// Variables that are sent at most; each takes a round trip.
const MOST_VARIABLES: usize = 16;

/// Errors of libssh2 (its numbers) by which a server shows that it does not want to talk now.
const TURNED_AWAY: [i32; 5] = [-2, -7, -13, -43, -45];

/// Gets in and starts the command.
pub(super) fn enter(plan: &Plan, known: &Known, socket: &TcpStream) -> Result<(Session, Channel), Trouble> {
    let host = plan.host();
    let beyond = |what: &str, error: &Error| Trouble::Beyond(format!("{what} with `{host}` failed: {error}"));
    let mut session = Session::new().map_err(|error| beyond("a session", &error))?;
    session.set_timeout(u32::try_from(plan.connect_limit().as_millis()).unwrap_or(u32::MAX));
    session.set_compress(plan.settings.yes("compression"));
    prefer(&session, plan, known).map_err(|error| beyond("the choice of ciphers", &error))?;
    let own = socket.try_clone().map_err(|error| Trouble::Final(format!("`{host}`: {error}")))?;
    session.set_tcp_stream(own);
    session.handshake().map_err(|error| match error.code() {
        ErrorCode::Session(code) if TURNED_AWAY.contains(&code) => {
            Trouble::Busy(format!("`{host}` ends connections at once: {error}"))
        }
        _ => beyond("the key exchange", &error),
    })?;
    let shown = session.host_key().map(|(key, _)| known.host.judge(key));
    if shown != Some(Verdict::Known) {
        let what = if shown == Some(Verdict::Revoked) {
            "a host key that was revoked"
        } else {
            "another host key than the known one"
        };
        return Err(Trouble::Beyond(format!(
            "`{host}` shows {what}: somebody may be listening in, or it was set up anew; \
             `ssh-keygen -R` forgets the old key"
        )));
    }
    authenticate(&session, plan, known)?;
    let opened = session.channel_open("session", WINDOW, PACKET, None);
    let mut channel = opened.map_err(|error| beyond("a channel", &error))?;
    for (name, value) in variables(plan).into_iter().take(MOST_VARIABLES) {
        // A server takes what it is configured to take.
        let _ = channel.setenv(&name, &value);
    }
    channel.exec(&plan.command()).map_err(|error| beyond("the command", &error))?;
    Ok((session, channel))
}

/// Has only those algorithms used that the settings allow, and of host keys only those that are known.
fn prefer(session: &Session, plan: &Plan, known: &Known) -> Result<(), Error> {
    session.method_pref(MethodType::HostKey, &known.algorithms)?;
    for (setting, methods) in [
        ("kexalgorithms", [MethodType::Kex].as_slice()),
        ("ciphers", &[MethodType::CryptCs, MethodType::CryptSc]),
        ("macs", &[MethodType::MacCs, MethodType::MacSc]),
    ] {
        if let Some(list) = plan.settings.get(setting) {
            for method in methods {
                session.method_pref(*method, list)?;
            }
        }
    }
    Ok(())
}

fn authenticate(session: &Session, plan: &Plan, known: &Known) -> Result<(), Trouble> {
    let user = plan.settings.get("user").unwrap_or_default();
    let mut tried = 0;
    if by_agent(session, plan, known, user, &mut tried).unwrap_or(false) {
        return Ok(());
    }
    for file in &known.files {
        tried += 1;
        // Without a passphrase libssh2 would not know what to answer its crypto library.
        if session.userauth_pubkey_file(user, None, file, Some("")).is_ok() {
            return Ok(());
        }
    }
    Err(Trouble::Beyond(format!(
        "`{}` takes none of {tried} keys for `{user}` that need neither a passphrase nor a device",
        plan.host()
    )))
}

/// Tries what the user's agent has: first what the settings name, then, unless they say otherwise, all the rest.
fn by_agent(session: &Session, plan: &Plan, known: &Known, user: &str, tried: &mut usize) -> Result<bool, Error> {
    let settings = &plan.settings;
    let path = match settings.all("identityagent").next() {
        Some("none") => return Ok(false),
        None | Some("SSH_AUTH_SOCK") => None,
        Some(text) => {
            let home = std::env::home_dir().unwrap_or_default();
            match text.strip_prefix('$') {
                Some(name) => std::env::var(name).ok(),
                None => keys::path(text, settings, &home.to_string_lossy()),
            }
        }
    };
    if path.is_none() && std::env::var_os("SSH_AUTH_SOCK").is_none() {
        return Ok(false);
    }
    let mut agent = session.agent()?;
    if let Some(path) = path {
        agent.set_identity_path(Path::new(&path))?;
    }
    agent.connect()?;
    agent.list_identities()?;
    let usable = |blob: &[u8]| keys::kind(blob).is_some_and(keys::is_plain);
    let identities: Vec<_> = agent.identities()?.into_iter().filter(|identity| usable(identity.blob())).collect();
    let (named, rest): (Vec<_>, Vec<_>) =
        identities.into_iter().partition(|identity| known.named.iter().any(|blob| blob == identity.blob()));
    let rest = if settings.yes("identitiesonly") { Vec::new() } else { rest };
    for identity in named.into_iter().chain(rest) {
        *tried += 1;
        if agent.userauth(user, &identity).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Variables of this process that the settings want sent.
fn variables(plan: &Plan) -> Vec<(String, String)> {
    let patterns: Vec<&str> = plan.settings.all("sendenv").flat_map(str::split_whitespace).collect();
    let wanted = |name: &str| patterns.iter().any(|pattern| matches(pattern, name));
    let texts =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, _)| wanted(name)).collect()
}
