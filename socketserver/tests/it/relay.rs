//! What can lie between a client and a server: it sees all bytes, and changes some.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use execnet_rs::gateway::{Gateway, GatewayError};
use execnet_rs::group::Group;
use execnet_rs::transport::socket::SocketTransport;
use execnet_rs::transport::socket::token::Token;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// An address of this host that is another source for each number.
pub(crate) fn source(number: usize) -> IpAddr {
    let [.., high, low] = u32::try_from(number + 2).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

/// A connection that comes from there.
pub(crate) async fn connect_from(source: IpAddr, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// Which byte is changed, counted in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    ToServer(usize),
    ToClient(usize),
}

/// A relay before a server; serves one connection.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    /// What the client has sent.
    pub(crate) sent: Arc<Mutex<Vec<u8>>>,
    /// What the server has answered.
    pub(crate) answered: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr, from: IpAddr, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sent, answered) = (Arc::default(), Arc::default());
        let relay = Self { address, sent: Arc::clone(&sent), answered: Arc::clone(&answered) };
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = connect_from(from, server).await.into_split();
            let to = |wanted: fn(usize) -> Change| move |at: usize| wanted(at) == change;
            tokio::join!(
                carry(from_client, to_server, to(Change::ToServer), sent),
                carry(from_server, to_client, to(Change::ToClient), answered),
            );
        });
        relay
    }

    pub(crate) async fn gateway(&self, group: &Group, token: &Token) -> Result<Gateway, GatewayError> {
        group.register("socket", Arc::new(SocketTransport::new(Arc::new(token.clone()))));
        group.make_gateway(&format!("socket={}", self.address)).await
    }
}

async fn carry<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut from: R,
    mut to: W,
    is_changed: impl Fn(usize) -> bool,
    seen: Arc<Mutex<Vec<u8>>>,
) {
    let mut piece = vec![0; 1 << 16];
    let mut at = 0;
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        seen.lock().unwrap().extend_from_slice(&piece[..count]);
        for (offset, byte) in piece[..count].iter_mut().enumerate() {
            *byte ^= u8::from(is_changed(at + offset));
        }
        at += count;
        if to.write_all(&piece[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
