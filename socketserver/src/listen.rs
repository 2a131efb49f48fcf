//! Sockets that listen, and how the user is told of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen, socket_with, sockopt};
use thiserror::Error;
use tokio::net::TcpListener;

/// Connections that the system keeps for us.
const BACKLOG: i32 = 256;

/// Why nobody listens.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Not an address.
    #[error("`{0}` is no address\nhint: write HOST:PORT, `:PORT` for all addresses, or `[IPV6]:PORT`")]
    Address(String),
    /// The name leads nowhere.
    #[error("`{0}`: {1}")]
    Unknown(String, io::Error),
    /// The system does not let us.
    #[error("cannot listen on {0}: {1}")]
    Bind(SocketAddr, io::Error),
}

/// Listens on every address that a text means. Port 0 lets the system choose.
///
/// # Errors
/// A [`ListenError`]. That this host has no IPv6 is none if no address was given.
pub fn open(text: &str) -> Result<Vec<TcpListener>, ListenError> {
    let (host, port) = split(text).ok_or_else(|| ListenError::Address(text.to_owned()))?;
    if host.is_empty() {
        let one = open_at((Ipv4Addr::UNSPECIFIED, port).into())?;
        // The same port for both, also if the system chose it.
        let port = one.local_addr().map_or(port, |address| address.port());
        return match open_at((Ipv6Addr::UNSPECIFIED, port).into()) {
            Ok(other) => Ok(vec![one, other]),
            Err(ListenError::Bind(_, error)) if has_no_ipv6(&error) => Ok(vec![one]),
            Err(error) => Err(error),
        };
    }
    let found = (host, port).to_socket_addrs().map_err(|error| ListenError::Unknown(host.to_owned(), error))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    found.for_each(|address| {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    });
    addresses.into_iter().map(open_at).collect()
}

fn has_no_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let known = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::PROTONOSUPPORT];
    known.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Splits `host:port`, `:port` or `[v6]:port`.
fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':'))?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((bare, port.parse().ok()?))
}

fn open_at(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let open = || -> io::Result<TcpListener> {
        let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        bind(&socket, &address)?;
        listen(&socket, BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|error| ListenError::Bind(address, error))
}

/// What a controller has to write for one of these, as far as this host can know.
pub fn reachable(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    let first = addresses.first()?;
    if !first.ip().is_unspecified() {
        return Some(*first);
    }
    // The address that packets to others would bear; none is sent. (192.0.2.0/24 and 2001:db8::/32 are nobody's.)
    let ip = addresses.iter().find_map(|address| {
        let (own, other): (IpAddr, &str) = match address.ip() {
            IpAddr::V4(own) => (own.into(), "192.0.2.1"),
            IpAddr::V6(own) => (own.into(), "2001:db8::1"),
        };
        let socket = UdpSocket::bind((own, 0)).ok()?;
        socket.connect((other, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|found| !found.is_unspecified())
    });
    let loopback = if first.is_ipv6() { IpAddr::from(Ipv6Addr::LOCALHOST) } else { Ipv4Addr::LOCALHOST.into() };
    Some(SocketAddr::new(ip.unwrap_or(loopback), first.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split() {
        for (text, host, port) in
            [(":8888", "", 8888), ("h:1", "h", 1), ("[::1]:0", "::1", 0), ("1.2.3.4:5", "1.2.3.4", 5)]
        {
            assert_eq!(split(text), Some((host, port)), "{text}");
        }
        for text in ["", "h", "8888", "h:", "h:x", "::1:5", "[h]:5", "[::1]", "h:70000", "[::1:5"] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn a_given_address_is_the_one_to_reach() {
        let given = "10.1.2.3:5".parse().unwrap();
        assert_eq!(reachable(&[given]), Some(given));
        let any = reachable(&["0.0.0.0:5".parse().unwrap()]).unwrap();
        assert!(!any.ip().is_unspecified() && any.port() == 5, "{any}");
    }
}
