//! A way that takes its time: connections through it are slow by as much as a test says, piece by piece, in order.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long each piece is on its way, by its number.
type Delay = Arc<dyn Fn(u64) -> Duration + Send + Sync>;

/// A relay on the loopback device. Its threads end with the test's process.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// Begins to relay to an address.
    pub fn start(to: &str, delay: impl Fn(u64) -> Duration + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for a relay");
        let address = listener.local_addr().expect("the address of a relay");
        let (to, delay): (String, Delay) = (to.to_owned(), Arc::new(delay));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&to) else { continue };
                for stream in [&near, &far] {
                    stream.set_nodelay(true).expect("a socket without delay");
                }
                let (from_near, from_far) = (near.try_clone(), far.try_clone());
                if let (Ok(from_near), Ok(from_far)) = (from_near, from_far) {
                    carry(from_near, far, Arc::clone(&delay));
                    carry(from_far, near, Arc::clone(&delay));
                }
            }
        });
        Self { address }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

fn carry(from: TcpStream, to: TcpStream, delay: Delay) {
    let (send, receive) = channel();
    thread::spawn(move || take(from, &send, &*delay));
    thread::spawn(move || give(&receive, to));
}

fn take(mut from: TcpStream, pieces: &Sender<(Instant, Vec<u8>)>, delay: &(dyn Fn(u64) -> Duration + Send + Sync)) {
    let mut room = vec![0; 16 * 1024];
    for number in 0.. {
        let Ok(count @ 1..) = from.read(&mut room) else { return };
        if pieces.send((Instant::now() + delay(number), room[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn give(pieces: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    for (due, piece) in pieces {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
